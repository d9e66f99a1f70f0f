"""Activation clustering: each class's features in two clusters, one of which is not clean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.detectors.detector import Detector
from expunge.settings import check_range

if TYPE_CHECKING:
    from expunge.detectors.evidence import Flags, Floats, Integers, SampleEvidence


@dataclass(frozen=True, kw_only=True)
class ClusteringConfig:
    """Settings of activation clustering.

    Raises:
        ConfigError: fewer than one component.
    """

    components: int = 10
    """Principal components of the features to cluster in."""

    def __post_init__(self) -> None:
        check_range("components", self.components, 1, None)


def activation_clustering(evidence: SampleEvidence, config: ClusteringConfig) -> Floats:
    """How far each sample is from its class's clean cluster towards the other one.

    The features of each class are divided by 2-means. The clean cluster is the one with the centre
    nearest to the mean of the class's trusted samples; the larger one, as in the paper, if there is
    none. With c₀ and c₁ the centres of the clean and the other cluster and u = (c₁ − c₀)/‖c₁ − c₀‖,
    the score of x is (x − c₀)·u / s · max(0, 1 − t/n), where s is the standard deviation along u
    within clusters, and t and n are the shares of trusted samples and of all samples that the other
    cluster holds: trusted samples are in both halves of a class that is clean.

    The paper reduces by independent components, and judges whole clusters, by size or silhouette.

    Source: Chen et al., Detecting Backdoor Attacks by Activation Clustering, 2018, section 5.
    """
    import numpy as np

    features, trusted = evidence.array("features"), evidence.trusted_rows()
    scores = np.zeros(len(evidence))
    for label in range(evidence.num_classes):
        rows = np.flatnonzero(evidence.labels == label)
        known = np.flatnonzero(np.isin(rows, trusted))
        scores[rows] = _towards_the_other(features[rows], known, config.components)
    return scores


def _towards_the_other(features: Floats, trusted: Integers, components: int) -> Floats:
    """The scores of one class's samples, `(N, F)`; `trusted` are places among them."""
    import numpy as np

    if len(features) < 3 or not np.ptp(features, axis=0).any():
        return np.zeros(len(features))
    centred = features - features.mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    reduced = (left * sizes)[:, :components]
    second = _in_second_cluster(reduced)
    centres = np.stack([reduced[~second].mean(0), reduced[second].mean(0)])
    if len(trusted):
        clean = int(np.linalg.norm(centres - reduced[trusted].mean(0), axis=1).argmin())
    else:
        clean = int(second.mean() > 0.5)
    across = centres[1 - clean] - centres[clean]
    along = (reduced - centres[clean]) @ across / np.linalg.norm(across)
    other = second if clean == 0 else ~second
    within = along - np.where(other, along[other].mean(), along[~other].mean())
    spread = np.sqrt((within**2).mean())
    scores: Floats = along / max(float(spread), 1e-12 * float(np.abs(along).max()))
    trust = float(other[trusted].mean() / other.mean()) if len(trusted) else 0.0
    return scores * max(0.0, 1 - trust)


def _in_second_cluster(points: Floats) -> Flags:
    """Flags of the points, `(N, D)`, in the second of two clusters, from halves by the first axis.

    A start that draws nothing, so that the order of the points makes no difference.
    """
    import numpy as np
    from sklearn.cluster import KMeans

    second = points[:, 0] > 0
    start = np.stack([points[~second].mean(0), points[second].mean(0)])
    labels = KMeans(2, init=start, n_init=1).fit(points).labels_
    return np.asarray(labels == 1)


DETECTOR = Detector(
    name="activation_clustering",
    run=activation_clustering,
    config=ClusteringConfig,
    needs=frozenset({"features", "trusted"}),
    summary="in the cluster of the class's features that trusted samples are not in",
    cite="Chen et al., Detecting Backdoor Attacks on Deep Neural Networks by Activation "
    "Clustering, 2018",
)
