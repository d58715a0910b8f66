# What people read. Every number comes from a collected file, never from a YAML or a run's folder.


localrules:
    collect,
    collect_table,
    table,
    sample_figure,
    gains_figure,
    report,


rule collect:
    input:
        finished(GRID.jobs),
    output:
        f"{REPORT}/results.json",
    log:
        f"{LOGS}/collect.log",
    benchmark:
        f"{LOGS}/collect.tsv"
    conda:
        "../../environment.yml"
    params:
        options=GRID_OPTIONS,
        shown=GRID.presentation(),
    shell:
        "python -m tsd collect {params.options} --out {output:q} > {log} 2>&1"


rule collect_table:
    input:
        lambda wildcards: finished(GRID.jobs_for_table(wildcards.table)),
    output:
        f"{REPORT}/tables/{{table}}.json",
    log:
        f"{LOGS}/collect_{{table}}.log",
    benchmark:
        f"{LOGS}/collect_{{table}}.tsv"
    conda:
        "../../environment.yml"
    params:
        options=GRID_OPTIONS,
        shown=GRID.presentation(),
    shell:
        "python -m tsd collect {params.options} --table {wildcards.table:q} --out {output:q}"
        " > {log} 2>&1"


rule table:
    input:
        rules.collect_table.output,
    output:
        multiext(f"{REPORT}/tables/{{table}}", ".csv", ".md", ".tex"),
    log:
        f"{LOGS}/{{table}}.log",
    benchmark:
        f"{LOGS}/{{table}}.tsv"
    conda:
        "../../environment.yml"
    shell:
        "python -m tsd table {wildcards.table:q} --collected {input:q} > {log} 2>&1"


rule sample_figure:
    input:
        rules.check_data.output,
    output:
        f"{REPORT}/figures/samples.png",
    log:
        f"{LOGS}/sample_figure.log",
    benchmark:
        f"{LOGS}/sample_figure.tsv"
    conda:
        "../../environment.yml"
    params:
        options=GRID_OPTIONS,
    shell:
        "python -m tsd figure samples {params.options} --out {output:q} > {log} 2>&1"


rule gains_figure:
    input:
        rules.collect.output,
    output:
        png=f"{REPORT}/figures/gains.png",
        svg=f"{REPORT}/figures/gains.svg",
    log:
        f"{LOGS}/gains_figure.log",
    benchmark:
        f"{LOGS}/gains_figure.tsv"
    conda:
        "../../environment.yml"
    params:
        options=GRID_OPTIONS,
    shell:
        "python -m tsd figure gains {params.options} --out {output.png:q} > {log} 2>&1"


rule report:
    input:
        collected=rules.collect.output,
        tables=expand(rules.table.output, table=sorted(GRID.experiments.tables)),
        figures=[rules.sample_figure.output, rules.gains_figure.output],
    output:
        f"{REPORT}/index.html",
        f"{REPORT}/report.md",
    log:
        f"{LOGS}/report.log",
    benchmark:
        f"{LOGS}/report.tsv"
    conda:
        "../../environment.yml"
    params:
        options=GRID_OPTIONS,
    shell:
        "python -m tsd page {params.options} --collected {input.collected:q} > {log} 2>&1"


for declared in GRID.experiments.tables:

    rule:
        name:
            declared
        input:
            expand(rules.table.output, table=declared),
        localrule: True
