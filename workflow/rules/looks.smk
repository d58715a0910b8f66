# Seeds by need (seeds=auto): after each look at the results, the runs of undecided claims get more
# seeds. A look is a checkpoint, since what it finds says which trainings there are. Nothing is
# trained again when a look is taken again: a training that has ended waits for nothing.


localrules:
    look,


@cache
def grid_asking_for(targets):
    """The grid where only these tables, figures and runs are asked for."""
    grid = GRID.asking_for(targets)
    try:
        require_decidable(grid)
    except DeclarationError as error:
        raise WorkflowError(str(error)) from error
    return grid


def asked_grid():
    """The grid of what this call asks for: looks are about that and no more.

    A table or figure that is named as a target is asked for alone, as `only` would do it.
    """
    named = workflow.dag_settings.targets if GRID.seeds_by_need else ()
    targets = [name for name in named if name in GRID.experiments.targets]
    if not targets or len(targets) < len(named):
        return GRID
    return grid_asking_for(tuple(sorted(targets)))


def options_of_report(wildcards):
    """Options of `python -m tsd` that name what this call asks for."""
    return shlex.join(asked_grid().report_options)


def options_of_target(wildcards):
    """The same for one table or figure, which has the seeds of all that is asked for."""
    grid = asked_grid()
    return shlex.join(grid.report_options if grid.looks else grid.target_options)


def looks_taken(until=None):
    """The files of the looks, up to the last one or some number of them; none with fixed seeds.

    Snakemake comes back to whoever calls this once the next of them is there.
    """
    looks = asked_grid().looks
    taken = []
    while looks and len(taken) < (len(looks.seeds) if until is None else until):
        (path,) = checkpoints.look.get(
            folder=looks.folder.name, number=len(taken) + 1
        ).output
        taken.append(path)
        if not Look.read(Path(path)).next:
            break
    return taken


def files_behind_look(wildcards):
    """The look before, and what was measured since."""
    grid, number = asked_grid(), int(wildcards.number)
    if grid.looks is None or grid.looks.folder.name != wildcards.folder:
        raise WorkflowError(
            "The looks of another call: ask for `all` or for a table or figure."
        )
    before = looks_taken(number - 1)
    plan(grid)
    return [*before[-1:], *measured_for_look(wildcards)]


def measured_for_look(wildcards):
    """The measured values that a look reads."""
    grid = asked_grid()
    return files_of_look(grid, grid.looks.taken()[: int(wildcards.number) - 1])


checkpoint look:
    input:
        files_behind_look,
    output:
        f"results/{GRID.name}/looks/{{folder}}/look{{number}}.json",
    log:
        f"{LOGS}/looks/{{folder}}/look{{number}}.log",
    benchmark:
        f"{LOGS}/looks/{{folder}}/look{{number}}.tsv"
    wildcard_constraints:
        folder="[^/]+",
        number="[0-9]+",
    conda:
        "../../environment.yml"
    params:
        options=options_of_report,
        shown=GRID.presentation(),
        made_from=lambda wildcards: sum_of(measured_for_look(wildcards)),
    shell:
        "python -m tsd look {params.options} --number {wildcards.number} --out {output:q}"
        " > {log:q} 2>&1 && tail -n 1 {log:q}"
