# The data set: made where it is embedded, checked before anything trains, tracked.


localrules:
    make_data,
    check_data,
    open_tracking,


DATA_MANIFEST = f"{GRID.dataset.root}/manifest.json" if GRID.dataset.embedded else []


if GRID.dataset.embedded:

    rule make_data:
        output:
            DATA_MANIFEST,
        log:
            f"{LOGS}/make_data.log",
        benchmark:
            f"{LOGS}/make_data.tsv"
        conda:
            "../../environment.yml"
        params:
            options=GRID_OPTIONS,
        shell:
            "python -m tsd make-data {params.options} > {log} 2>&1"


rule check_data:
    input:
        DATA_MANIFEST,
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
