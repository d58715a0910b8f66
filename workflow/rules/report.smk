# What people read. Every number comes from a collected file, never from a YAML or a run's folder.


from tsd.results.collected import RESULTS_VERSION


localrules:
    collect,
    collect_part,
    table,
    figure,
    sample_figure,
    gains_figure,
    report,
    track_summaries,


rule collect:
    # Asked for only where it is made: each SLURM job reads these rules, and needs one training's.
    input:
        files_of_report,
    output:
        f"{REPORT}/results.json",
    log:
        f"{LOGS}/collect.log",
    benchmark:
        f"{LOGS}/collect.tsv"
    conda:
        "../../environment.yml"
    params:
        options=options_of_report,
        shown=GRID.presentation(),
        version=RESULTS_VERSION,
        made_from=lambda wildcards: sum_of(
            [*asked_grid().wanted_files, *results_of_variants()]
        ),
    shell:
        "python -m tsd collect {params.options} --out {output:q} > {log} 2>&1"


rule track_summaries:
    # Into MLflow, from the numbers that the report shows.
    input:
        rules.collect.output,
    output:
        f"results/{GRID.name}/summaries/{GRID.report_name}.json",
    log:
        f"{LOGS}/track_summaries.log",
    benchmark:
        f"{LOGS}/track_summaries.tsv"
    conda:
        "../../environment.yml"
    params:
        options=options_of_report,
        store=redact(tracking_uri()),
    shell:
        "python -m tsd track-summaries {params.options} --collected {input:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule collect_part:
    input:
        files_of_target,
    output:
        f"{REPORT}/parts/{{target}}.json",
    log:
        f"{LOGS}/collect_{{target}}.log",
    benchmark:
        f"{LOGS}/collect_{{target}}.tsv"
    conda:
        "../../environment.yml"
    params:
        options=options_of_target,
        shown=GRID.presentation(),
        version=RESULTS_VERSION,
        made_from=lambda wildcards: sum_of(made_from(wildcards.target)),
    shell:
        "python -m tsd collect {params.options} --target {wildcards.target:q} --out {output:q}"
        " > {log} 2>&1"


rule table:
    input:
        f"{REPORT}/parts/{{table}}.json",
    output:
        report(
            f"{REPORT}/tables/{{table}}.csv",
            caption="../report/table.rst",
            category="Tables",
            labels=titled("table"),
        ),
        f"{REPORT}/tables/{{table}}.md",
        f"{REPORT}/tables/{{table}}.tex",
    log:
        f"{LOGS}/{{table}}.log",
    benchmark:
        f"{LOGS}/{{table}}.tsv"
    conda:
        "../../environment.yml"
    params:
        folder=subpath(output[0], parent=True),
    shell:
        "python -m tsd table {wildcards.table:q} --collected {input:q} --out {params.folder:q}"
        " > {log} 2>&1"


rule figure:
    input:
        f"{REPORT}/parts/{{figure}}.json",
    output:
        svg=report(
            f"{REPORT}/figures/{{figure}}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels=titled("figure"),
        ),
        pdf=f"{REPORT}/figures/{{figure}}.pdf",
        png=f"{REPORT}/figures/{{figure}}.png",
        caption=f"{REPORT}/figures/{{figure}}.txt",
    log:
        f"{LOGS}/{{figure}}.log",
    benchmark:
        f"{LOGS}/{{figure}}.tsv"
    conda:
        "../../environment.yml"
    params:
        options=GRID_OPTIONS,
    shell:
        "python -m tsd figure {wildcards.figure:q} {params.options} --collected {input:q}"
        " --out {output.svg:q} > {log} 2>&1"


rule sample_figure:
    input:
        str(GRID.data_check(GRID.dataset.id)),
    output:
        report(
            f"{REPORT}/figures/samples.png",
            caption="../report/samples.rst",
            category="Data",
            labels={"figure": "Images of the validation set"},
        ),
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
        pdf=f"{REPORT}/figures/gains.pdf",
        svg=report(
            f"{REPORT}/figures/gains.svg",
            caption="../report/gains.rst",
            category="Figures",
            labels={"figure": "Gains beside the paper’s", "from": "all tables"},
        ),
    log:
        f"{LOGS}/gains_figure.log",
    benchmark:
        f"{LOGS}/gains_figure.tsv"
    conda:
        "../../environment.yml"
    params:
        options=GRID_OPTIONS,
    shell:
        "python -m tsd figure gains {params.options} --collected {input:q} --out {output.png:q}"
        " > {log} 2>&1"


rule report:
    input:
        collected=rules.collect.output,
        tables=expand(rules.table.output, table=sorted(GRID.wanted_tables)),
        figures=[
            rules.sample_figure.output,
            rules.gains_figure.output,
            expand(rules.figure.output, figure=sorted(GRID.wanted_figures)),
        ],
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
        ready=",".join([*GRID.wanted_tables, *GRID.wanted_figures]),
    shell:
        "python -m tsd page {params.options} --collected {input.collected:q} --ready={params.ready:q}"
        " > {log} 2>&1"


for declared in GRID.experiments.tables:

    rule:
        name:
            declared
        input:
            expand(rules.table.output, table=declared),
        localrule: True


for declared in GRID.experiments.figures:

    rule:
        name:
            declared
        input:
            expand(rules.figure.output, figure=declared),
        localrule: True


rule unknown_target:
    # Snakemake takes a misspelt target for a file at the root, of which it would say only that no rule
    # makes it. It never asks for the target, whose name is known once somebody wants this file.
    input:
        what_may_be_meant,
    output:
        "{asked}",
    wildcard_constraints:
        asked="[A-Za-z0-9_-]+",
    localrule: True
