import torch

from expunge.training.predict import predict


def test_predictions_equal_one_sample_at_a_time(samples, fabric, network):
    network.norm.running_mean.fill_(0.1)
    logits = predict(network, samples, fabric, batch_size=7)
    network.eval()
    for i in range(len(samples)):
        pixels = next(iter(samples.inputs.batches([torch.tensor([i])])))
        with torch.no_grad():
            torch.testing.assert_close(network(pixels.float() / 255)[0], logits[i])


def test_prediction_leaves_the_model_alone(samples, fabric, network):
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    predict(network, samples, fabric)
    assert network.training
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    assert network.conv2.weight.is_contiguous()
