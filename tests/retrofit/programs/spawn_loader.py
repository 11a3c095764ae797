import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Scored(Dataset):
    """Workers compute a loss too: how hard a row is for a fixed model, as a weight."""

    def __init__(self):
        self.x, self.y = small.data()
        self.net, self.criterion = small.model(seed=3), nn.CrossEntropyLoss()  # by hand: self.net, self.criterion = small.model(seed=3), CompetingRatioLoss()

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        with torch.enable_grad():
            weight = self.criterion(self.net(self.x[i : i + 1]), self.y[i : i + 1]).detach()
        return self.x[i], self.y[i], weight


if __name__ == "__main__":
    net = small.model()
    optimizer, criterion = small.optimiser(net), nn.CrossEntropyLoss(reduction="none")  # by hand: optimizer, criterion = small.optimiser(net), CompetingRatioLoss(reduction="none")
    for x, y, weight in DataLoader(Scored(), batch_size=8, num_workers=1, multiprocessing_context="spawn"):
        loss = (criterion(net(x), y) * weight).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    small.save(net)
