# From declared ablations to the reproduction report.
#
#   snakemake                       the report of the default scale (profiles/default: mini)
#   snakemake table3                what Table 3 needs, and no more
#   snakemake --config scale=paper -- table3    at another scale (an id, or a YAML file of yours)
#   snakemake --config only=r50,tsd_pc    two runs alone; tables, figures and claims can be named too
#   snakemake -n                    what would run
#   snakemake --report report.html  once all is made: Snakemake's own report, of rules and times


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


wildcard_constraints:
    key="[^/]+/[^/]+/[0-9a-f]+/seed[0-9]+",
    dataset="[a-z0-9_-]+",
    figure="|".join(GRID.experiments.figures),
    table="|".join(GRID.experiments.tables),


include: "workflow/rules/looks.smk"
include: "workflow/rules/download.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        rules.report.output,
        rules.track_summaries.output,


onstart:
    tell_of_missing_data()
    asked_for = [job for jobs in ASKED_FOR.values() for job in jobs]
    for text in [*about_other_data(GRID), *unused_weights(GRID, asked_for)]:
        print(text, file=sys.stderr, flush=True)
    if BEHIND_TARGETS and not possible(asked_for):
        raise WorkflowError("Nothing that is asked for can be made; see above why.")
    try:
        if (
            SITE and workflow.executor_settings
        ):  # not with --touch or --executor local
            check(SITE, GRID.scale.resources, trainings_a_job())
            os.environ[ATTEMPTS_VARIABLE] = str(
                workflow.execution_settings.retries + 1
            )
            name_prefix = workflow.executor_settings.jobname_prefix
            if work_alone(Path.cwd()):
                end_leftovers(Path.cwd(), name_prefix, print)
            else:
                print(
                    "No locks here: jobs that a killed Snakemake left are not cancelled."
                )
        elif not workflow.touch:
            end_orphans(Path("results", GRID.name), print)
            name_workflow()
    except DeclarationError as error:
        raise WorkflowError(str(error)) from error
    if needed("train", "track") and not needed("open_tracking"):
        # It was opened once; whether it still takes what is written is to be known before training.
        shell("python -m tsd open-tracking {options}", options=GRID_OPTIONS)
    open_gpus()


onsuccess:
    close_gpus()
    tell_mlflow_what_it_missed()


onerror:
    close_gpus()
    print("Some jobs failed; the report is written with what there is.")
    shell("python -m tsd report {options}", options=options_of_what_there_is())
    tell_mlflow_what_it_missed()
