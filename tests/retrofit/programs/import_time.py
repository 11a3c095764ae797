import criteria_at_import
import small

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(6):
    loss = criteria_at_import.CRITERION(net(x), y) + criteria_at_import.TABLE["main"](net(x) * 2, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
