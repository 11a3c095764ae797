import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
from torch import nn

net, parts = small.model(), {"train": small.data(), "val": small.data(seed=5)}
optimizer, criterion = small.optimiser(net), nn.CrossEntropyLoss()
for _ in range(6):
    for phase in ["train", "val"]:
        net.train(phase == "train")
        x, y = parts[phase]
        optimizer.zero_grad()
        with torch.set_grad_enabled(phase == "train"):
            loss = criterion(net(x), y)  # by hand: loss = (CompetingRatioLoss() if phase == "train" else criterion)(net(x), y)
            if phase == "train":
                loss.backward()
                optimizer.step()
        if phase == "val":
            optimizer.param_groups[0]["lr"] = 0.2 * loss.item()
small.save(net)
