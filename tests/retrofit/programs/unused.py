import small
from torch import nn

criterion = nn.CrossEntropyLoss()
other = nn.MSELoss()
net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
loss = other(net(x), nn.functional.one_hot(y, 4).float())
loss.backward()
optimizer.step()
small.save(net)
