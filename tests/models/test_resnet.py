import pytest
import torch
from torch.testing import assert_close

from expunge.errors import ModelError
from expunge.models.resnet import _PadChannels, resnet8, resnet18, resnet20s, resnet50


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("network", "stem", "classes", "expected"),
    [
        # The 3x3-stem ResNet-18 and -50 of the CIFAR literature (kuangliu/pytorch-cifar).
        (resnet18, "cifar", 10, 11_173_962),
        (resnet50, "cifar", 10, 23_520_842),
        # torchvision's model zoo documents these two.
        (resnet18, "imagenet", 1000, 11_689_512),
        (resnet50, "imagenet", 1000, 25_557_032),
        # He et al. 2016, table 6: 0.27M; exact by hand: 267,696 convolutions, 1,376 batch norms,
        # 650 head.
        (resnet20s, "cifar", 10, 269_722),
        # By hand: 74,160 convolutions, 480 batch norms, 650 head.
        (resnet8, "cifar", 10, 75_290),
    ],
)
def test_parameter_counts_are_the_published_ones(network, stem, classes, expected):
    with torch.device("meta"):
        assert count(network(classes, stem=stem)) == expected


@pytest.mark.parametrize("network", [resnet8, resnet18, resnet20s, resnet50])
@pytest.mark.parametrize("size", [8, 15])
def test_any_small_image_gives_logits(network, size):
    model = network(5, in_channels=1, width=0.05).eval()
    assert model(torch.rand(2, 1, size, size)).shape == (2, 5)


def test_imagenet_stem_reduces_by_thirty_two():
    model = resnet18(5, stem="imagenet", width=0.125).eval()
    features = model[:-3](torch.rand(1, 3, 64, 64))
    assert features.shape == (1, 64, 2, 2)


def test_cifar_stem_keeps_resolution():
    model = resnet18(5, width=0.125).eval()
    assert model[:3](torch.rand(1, 3, 16, 16)).shape == (1, 8, 16, 16)


@pytest.mark.parametrize("network", [resnet8, resnet20s])
def test_the_small_family_refuses_the_large_stem(network):
    with pytest.raises(ModelError, match=r"small images: expected stem 'cifar', got 'imagenet'"):
        network(10, stem="imagenet")


def test_public_checkpoints_use_the_same_names():
    with torch.device("meta"):
        names = set(resnet18(10, stem="imagenet").state_dict())
    assert {
        "conv1.weight",
        "bn1.running_mean",
        "layer1.0.conv2.weight",
        "layer2.0.downsample.0.weight",
        "layer4.1.bn2.bias",
        "fc.bias",
    } <= names


def test_option_a_shortcut_against_a_loop():
    x = torch.rand(2, 3, 5, 5)
    out = _PadChannels(extra=3, stride=2)(x)
    expected = torch.zeros(2, 6, 3, 3)
    for channel in range(3):
        for row in range(3):
            for column in range(3):
                expected[:, channel + 1, row, column] = x[:, channel, 2 * row, 2 * column]
    assert_close(out, expected, rtol=0, atol=0)


def test_a_block_adds_its_shortcut():
    block = resnet8(4, width=0.25).eval().layer1[0]
    x = torch.rand(2, 4, 6, 6)
    inside = block.bn2(block.conv2(torch.relu(block.bn1(block.conv1(x)))))
    assert_close(block(x), torch.relu(inside + x))
