import small

from .inner import make_criterion

assert __package__ == "package"
net, (x, y) = small.model(), small.data()
optimizer, criterion = small.optimiser(net), make_criterion()
for _ in range(6):
    loss = criterion(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
