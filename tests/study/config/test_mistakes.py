"""Each mistake in a config is named in one line."""

import re

import pytest
import yaml

from tests.study.config.configs import changed, merged
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.config.study import load_study

# An overlay of config.yaml => what the error says.
MISTAKES = """
{shards: {shard: 3}} => unknown key in config.shards.shard: 'shard'; did you mean shards?
{shrads: {}} => unknown key in config.shrads: 'shrads'; did you mean shards?
{pretraining: {leraning_rate: 1}} => unknown key in config.pretraining.leraning_rate
{shards: {shards: many}} => invalid value in config.shards.shards: 'many'
{compute: {device: cudo}}
  => unknown choice in config.compute.device: 'cudo'; did you mean cuda? Choose from auto, cpu, cuda
{pretraining: {backbone: resnet43}}
  => unknown choice in config.pretraining.backbone: 'resnet43'; did you mean resnet34? Choose from resnet18
{pretraining: {batch_size: 1}} => invalid value in config.pretraining.batch_size: 1
{tokenizer: {kind: clip, vocabulary: 300, source: clip}}
  => in config.tokenizer: vocabulary has no effect on a tokenizer of kind clip
{tokenizer: {kind: clip}} => missing source in config.tokenizer.source: null; kind clip
{annotations: {source: {at: x.zip, torchvision: CIFAR10}}} => torchvision is set by the workflow; remove it
{tokenizer: {source: clip}} => unused source in config.tokenizer.source: clip; remove it; kind trained has none
{study: ../elsewhere} => config.study
{caption_labels: {source: labels, replacement: original}}
  => arm compared with itself in config.caption_labels.replacement: original; give another arm
{caption_labels: {source: labels, replacement: revisd}}
  => unknown arm in config.caption_labels.replacement: revisd; did you mean revised?
{probe_dataset: cifar01} => unknown dataset in config.probe_dataset: cifar01; did you mean cifar10?
{probe_dataset: null}
  => selection without a probe set in config.probe_dataset: null, but evaluation.steps has best; name one of
{probe_dataset: null, evaluation: {steps: [last]}, pretraining: {patience: 3}}
  => in config.probe_dataset: null, but run simclr-self-simclr-resnet34-s0 has patience; name one of datasets
{pair_quality: {image_encoder: dino}} => unknown image encoder in config.pair_quality.image_encoder: dino
{leakage: {encoder: dino}} => unknown image encoder in config.leakage.encoder: dino
{runs: [{method: simclr, pairs: revisde}]} => unknown pair table in config.runs.0.pairs: revisde; did you mean revised?
{arms: [{name: a, kind: original}, {name: a, kind: original}]} => repeated name in config.arms.1.name: a
{arms: [{name: a, kind: external}]} => missing table in config.arms.0.table: null
{arms: [{name: original, kind: original}, {name: revised, kind: revised}, {name: shuffled, kind: shuffled},
  {name: a, kind: shuffled, base: revisd}]}
  => unknown arm in config.arms.3.base: revisd; did you mean revised? Choose from a, original, rev
{arms: [{name: original, kind: original}, {name: revised, kind: revised}, {name: shuffled, kind: shuffled},
  {name: a, kind: shuffled, base: a}]}
  => arms that start from each other in config.arms.3.base: a > a; let one of them start from
{arms: [{name: original, kind: original}, {name: revised, kind: revised}, {name: shuffled, kind: shuffled},
  {name: a, kind: mixed, base: shuffled, margin: 0.5}]}
  => unused margin in config.arms.3.margin: 0.5; remove it; kind mixed has none
{arms: [{name: original, kind: original}, {name: revised, kind: revised}, {name: shuffled, kind: shuffled},
  {name: a, kind: revised, base: original}]}
  => unused base in config.arms.3.base
{runs: [{method: untrained, seeds: [1, 1]}]} => repeated run in config.runs.0: untrained-none
{runs: [{method: untrained, tag: a.b}]} => invalid value in config.runs.0.tag: 'a.b'
{runs: [{method: untrained, tag: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]}
  => invalid value in config.runs.0.tag
{runs: [{method: untrained, tag: a}, {method: untrained, tag: a}]}
  => repeated run in config.runs.1: untrained-none-none-res
{pairs: [{name: self, encoder: clip}]} => reserved name in config.pairs.0.name: self
{evaluation: {features: {resize: bicubic}}} => unknown key in config.evaluation.features.resize
{evaluation: {crop: 1.1}} => invalid value in config.evaluation.crop: 1.1
{pairs: [{name: best, encoder: clip, kind: oracle}]} => demo_world missing in config.pairs.0.kind: oracle
{pairs: [{name: ivf, arm: revised, encoder: mpnet, index: 'IVF64,Falt'}]}
  => index that FAISS can't make in config.pairs.0.index: IVF64,Falt; choose another
{pairs: [{name: labels, encoder: clip}]} => reserved name in config.pairs.0.name: labels
{runs: [{method: supervised, pairs: labels}]}
  => demo_world missing in config.runs.0.method: supervised
{demo_world: {}, runs: [{method: supervised, pairs: labels, set: {supervised: {label: colur}}}]}
  => unknown label in config.runs.0.set.supervised.label: colur; did you mean colour?
{demo_world: {}, runs: [{method: supervised, pairs: revised}]}
  => method supervised goes with pairs of kind labels, not with language
{probe_dataset: null, datasets: [{name: d, kind: folders}]}
  => missing source in config.datasets.0.source: null; kind folders needs one
{annotations: {source: world}} => demo_world missing in config.annotations.source: world
{demo_world: {scenes: [grass, nigth]}}
  => unknown choice in config.demo_world.scenes.1: 'nigth'; did you mean night? Choose from grass, night
{demo_world: {colours: [red]}} => invalid value in config.demo_world.colours
{annotations: {source: 'https://example.invalid/a.zip'}} => give its sha256
{image_encoders: [{name: clip}, {name: imagenet, source: x}, {name: blip2, kind: blip2}]}
  => missing source in config.image_encoders.0.source: null
{contrasts: [{name: c, minuend: revised, subtrahend: orignal}]}
  => unknown run's pairs in config.contrasts.0.subtrahend: orignal; did you mean original?
{contrasts: [{name: c, minuend: revised, subtrahend: none}]}
  => contrast without runs in config.contrasts.0: its sides have no method and backbone and tag in common
{contrasts: [{name: c, minuend: revised, subtrahend: original}], runs: [{method: simclr, pairs: revised,
  set: {backbone: resnet50}}, {method: simclr, pairs: original, set: {backbone: resnet34}}]}
  => contrast without runs in config.contrasts.0: its sides have no method and backbone and tag in common
{evaluation: {steps: [best]}, contrasts: [{name: c, terms: [{weight: 1, pairs: revised, step: last},
  {weight: -1, pairs: original, step: best}]}]}
  => unknown evaluated step in config.contrasts.0.terms.0.step: last; choose from best
{evaluation: {steps: [2, 10000]}, contrasts: [{name: c, minuend: revised, subtrahend: original}],
  runs: [{method: simclr, pairs: revised, set: {epochs: 4, checkpoints: [2]}},
  {method: simclr, pairs: original, set: {checkpoints: [10000]}}]}
  => contrast without an evaluated step in config.contrasts.0: no step that all of its runs have
{contrasts: [{name: a, minuend: revised, subtrahend: original, primary: true},
  {name: b, minuend: revised, subtrahend: original, primary: true},
  {name: c, minuend: revised, subtrahend: original, primary: true},
  {name: d, minuend: revised, subtrahend: original, primary: true}]}
  => too many primary contrasts in config.contrasts.3.primary: 4; a study has at most 3
{contrasts: [{name: c, minuend: revised, subtrahend: revised}]}
  => contradictory settings in config.contrasts.0: revised is compared with itself; change one of them
{contrasts: [{name: c, endpoint: pair_purity, minuend: revised, subtrahend: original}]}
  => purity of pairs without labels in config.contrasts.0.endpoint: pair_purity; set pair_quality.label
{demo_world: {}, pair_quality: {label: concept}, contrasts: [{name: c, endpoint: pair_purity, test: slope,
  terms: [{at: 1, encoder: mpnet}, {at: 2, encoder: minlim}]}]}
  => term without pair tables in config.contrasts.0.terms.1: minlim; name pairs, an arm or an encoder of them
{contrasts: [{name: c, endpoint: caption_score, judge: clap, minuend: revised, subtrahend: original}]}
  => unknown judge in config.contrasts.0.judge: clap
{judges: [{name: blip2, kind: blip2}],
  contrasts: [{name: c, endpoint: caption_score, judge: blip2, minuend: revised, subtrahend: original}]}
  => judge of the captioner's family in config.contrasts.0.judge: blip2, of kind blip2; name a judge of another
{judges: [{name: clip, kind: clip, source: models/clip}],
  contrasts: [{name: c, endpoint: caption_score, judge: clip, minuend: revisde, subtrahend: original}]}
  => unknown arm in config.contrasts.0.minuend: revisde; did you mean revised?
{judges: [{name: clip, kind: clip, source: models/clip}],
  contrasts: [{name: c, endpoint: caption_score, judge: clip, metric: itm, minuend: revised, subtrahend: original}]}
  => unknown score in config.contrasts.0.metric: itm; choose from cosine
{judges: [{name: clip, kind: clip, source: models/clip}], contrasts: [{name: c, endpoint: flips, judge: clip,
  minuend: original, subtrahend: revised, test: equivalence, margin: 5}]}
  => captions between which no judge chooses in config.contrasts.0.subtrahend: revised; judges choose between
{contrasts: [{name: c, endpoint: orderings, metric: saliency.uniform.pixel_ap}]}
  => unknown metric in config.contrasts.0.metric: saliency.uniform.pixel_ap; name a saliency metric
{contrasts: [{name: c, endpoint: orderings}], datasets: [food101, cifar10]}
  => saliency without masks in config.contrasts.0.endpoint: orderings; add a dataset with masks
{datasets: [{name: mean, kind: folders}]} => reserved name in config.datasets.0.name: mean
{evaluation: {linear_probe: {objectives: [sklearn, sklearn]}}} => objectives are repeated: sklearn, sklearn
{contrasts: [{name: c, terms: [{weight: 1, pairs: self}, {weight: -2, pairs: revised}]}]}
  => the weights of terms add up to -1; they must add up to 0
{contrasts: [{name: c, terms: [{weight: 1, pairs: self, tag: x}, {weight: -1, pairs: revised}]}]}
  => term without runs in config.contrasts.0.terms.0: pairs self, tag x
{contrasts: [{name: c, terms: [{weight: 1, step: lats}, {weight: -1, step: best}]}]}
  => unknown evaluated step in config.contrasts.0.terms.0.step: lats; did you mean last?
{contrasts: [{name: c, terms: [{weight: 1, method: simsiam}, {weight: -1, method: untrained}], per: [augmentation]}]}
  => contrast without runs in config.contrasts.0: its sides have no augmentation and tag in common
{pretraining: {method: clip}}
  => misplaced setting in config.pretraining.method: clip; give it to each item of runs
{runs: [{method: untrained, set: {seed: 3}}]}
  => setting without effect in config.runs.0.set.seed: 3; remove it; runs of method untrained depend on
{datasets: [{name: w, kind: torchvision, torchvision_name: food11, source: x}]}
  => unknown choice in config.datasets.0.torchvision_name: 'food11'; did you mean food101?
{evaluation: {saliency: {layers: [layer5]}}} => unknown choice in config.evaluation.saliency.layers.0
"""


@pytest.mark.parametrize(
    ("overlay", "message"), re.findall(r"^(\{.*?)\s+=> ([^\n]*)$", MISTAKES, re.DOTALL | re.MULTILINE)
)
def test_config_mistakes_are_reported(overlay: str, message: str) -> None:
    change = yaml.safe_load(overlay)
    config = changed(merged(), change)
    if "arms" in change:
        config |= {"runs": [{"method": "untrained"}], "pairs": []}
    with pytest.raises(PipelineError) as mistake:
        load_study(config)
    assert message in str(mistake.value)


def test_a_misspelt_key_that_is_required_is_one_error() -> None:
    change = {"judges": [{"nmae": "mine", "kind": "blip2"}]}
    with pytest.raises(PipelineError) as mistake:
        load_study(changed(merged(), change))
    assert [one.what for one in mistake.value.errors] == ["unknown key"]
    assert "'nmae'; did you mean name?" in str(mistake.value)
