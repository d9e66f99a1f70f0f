import pytest

from expunge.modes import mode


def test_each_module_gets_its_own_mode_back(network):
    network.train()
    network.norm.eval()

    def fail_inside():
        with mode(network, training=False):
            assert not any(module.training for module in network.modules())
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail_inside()
    assert network.training
    assert not network.norm.training
