# Before anything trains: the data set is made where it is embedded, and checked, MLflow's
# store is opened (by the Snakefile's onstart where it has been opened before). None of the edges is `ancient`: upstream of one, a job that has to run hides from
# Snakemake what else has to.


localrules:
    check_data,
    open_tracking,


if GRID.dataset.embedded:

    rule make_data:
        output:
            dataset_files(GRID.dataset),
        log:
            f"{LOGS}/make_data.log",
        benchmark:
            f"{LOGS}/make_data.tsv"
        localrule: True
        conda:
            "../../environment.yml"
        # Nothing of the scale: several share a data set, and none is to make it again.
        params:
            root=subpath(output[0], parent=True),
            content=GRID.dataset.embedded.model_dump_json(),
            generator=GENERATOR_VERSION,
        shell:
            "python -m tsd make-data --root {params.root:q} --content {params.content:q}"
            " > {log} 2>&1"


rule check_data:
    input:
        lambda wildcards: dataset_files(DATASETS[wildcards.dataset]),
    output:
        str(GRID.data_check("{dataset}")),
    log:
        f"{LOGS}/check_{{dataset}}.log",
    benchmark:
        f"{LOGS}/check_{{dataset}}.tsv"
    conda:
        "../../environment.yml"
    params:
        options=GRID_OPTIONS,
        # How the data set may be fetched is no reason to check it again, nor to train again.
        dataset=lambda wildcards: DATASETS[wildcards.dataset].model_dump_json(
            exclude={"fetched_by"}
        ),
        # Where images are replaced, neither the YAML nor the annotations need to be newer.
        content=lambda wildcards: json.dumps(
            content_of_dataset(DATASETS[wildcards.dataset], GRID.results),
            sort_keys=True,
        ),
        version=CHECK_VERSION,
    shell:
        "python -m tsd check-data {params.options} --data {wildcards.dataset:q} --out {output:q}"
        " 2>&1 | tee {log}"


rule open_tracking:
    output:
        touch(f"results/{GRID.name}/tracking-store"),
    log:
        f"{LOGS}/open_tracking.log",
    benchmark:
        f"{LOGS}/open_tracking.tsv"
    conda:
        "../../environment.yml"
    params:
        options=GRID_OPTIONS,
    shell:
        "python -m tsd open-tracking {params.options} 2>&1 | tee {log}"
