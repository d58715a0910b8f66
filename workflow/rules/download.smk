# COCO, fetched where that is asked for by name and never else: no other rule takes what these make.
#
#   snakemake coco2017              train2017, val2017 and their annotations, 20 GB
#   snakemake coco2017_val          val2017 and the annotations, 1 GB
#   snakemake coco2017_testdev      test2017 and the lists of its images, 7 GB
#   snakemake coco2014_minival      2014's images and annotations in the paper's division, 21 GB
#
# The files lie in data/coco, which may be a link. What is there is not fetched.

from tsd.data.coco_archives import ARCHIVES


localrules:
    download,
    divide_coco2014,


rule download:
    output:
        f"{COCO}/archives/{{archive}}.json",
    log:
        f"{COCO}/archives/{{archive}}.log",
    benchmark:
        f"{COCO}/archives/{{archive}}.tsv"
    wildcard_constraints:
        archive="|".join(ARCHIVES),
    conda:
        "../../environment.yml"
    params:
        root=subpath(output[0], ancestor=2),
    shell:
        "python -m tsd download {wildcards.archive:q} --root {params.root:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule divide_coco2014:
    input:
        unpacked("annotations_trainval2014", "annotations_trainval2017"),
    output:
        f"{COCO}/archives/division2014.json",
    log:
        f"{COCO}/archives/division2014.log",
    benchmark:
        f"{COCO}/archives/division2014.tsv"
    conda:
        "../../environment.yml"
    params:
        root=subpath(output[0], ancestor=2),
    shell:
        "python -m tsd divide-coco2014 --root {params.root:q} --out {output:q} 2>&1 | tee {log:q}"


rule coco2017:
    input:
        unpacked("train2017", "val2017", "annotations_trainval2017"),
    localrule: True


rule coco2017_val:
    input:
        unpacked("val2017", "annotations_trainval2017"),
    localrule: True


rule coco2017_testdev:
    input:
        unpacked("test2017", "image_info_test2017"),
    localrule: True


rule coco2014_minival:
    input:
        unpacked("train2014", "val2014"),
        rules.divide_coco2014.output,
    localrule: True
