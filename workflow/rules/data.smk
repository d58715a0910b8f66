# Before anything trains: the data set is made where it is embedded, and checked, MLflow's
# store is opened. None of the edges is `ancient`: upstream of one, a job that has to run hides from
# Snakemake what else has to.


localrules:
    check_data,
    open_tracking,


if GRID.dataset.embedded:

    rule make_data:
        output:
            DATA_FILES,
        log:
            f"{LOGS}/make_data.log",
        benchmark:
            f"{LOGS}/make_data.tsv"
        localrule: True
        conda:
            "../../environment.yml"
        params:
            options=GRID_OPTIONS,
            content=GRID.dataset.embedded.model_dump_json(),
            generator=GENERATOR_VERSION,
        shell:
            "python -m tsd make-data {params.options} > {log} 2>&1"


rule check_data:
    input:
        DATA_FILES,
    output:
        f"results/{GRID.name}/dataset.json",
    log:
        f"{LOGS}/check_data.log",
    benchmark:
        f"{LOGS}/check_data.tsv"
    conda:
        "../../environment.yml"
    params:
        options=GRID_OPTIONS,
        dataset=GRID.dataset.model_dump_json(),
    shell:
        "python -m tsd check-data {params.options} --out {output:q} 2>&1 | tee {log}"


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
        "python -m tsd open-tracking {params.options} > {log} 2>&1"
