# Before anything trains: the data set is made where it is embedded, data and runs are checked,
# MLflow's store is opened.


localrules:
    check_data,
    check_runs,
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


rule check_runs:
    output:
        f"results/{GRID.name}/runs.json",
    log:
        f"{LOGS}/check_runs.log",
    benchmark:
        f"{LOGS}/check_runs.tsv"
    conda:
        "../../environment.yml"
    params:
        options=GRID_OPTIONS,
        digests=sorted({job.digest for job in GRID.jobs}),
    shell:
        "python -m tsd check-runs {params.options} --out {output:q} --log {log:q}"


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
        store=redact(tracking_uri()),
    shell:
        "python -m tsd open-tracking {params.options} > {log} 2>&1"
