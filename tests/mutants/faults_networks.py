"""Faults in the networks for small pictures, and in how they are found."""

from faults import Source

N = "finegrained_crl/networks/"
REGISTRY, RESNET, JANOCHA = (
    "tests/networks/test_registry.py",
    "tests/networks/test_resnet.py",
    "tests/networks/test_janocha.py",
)

resnet = Source(N + "resnet.py", RESNET, REGISTRY)
resnet.fault("dropped call", "        self.maxpool = nn.Identity()\n", "")
resnet.fault(
    "off-by-one",
    "nn.Conv2d(self.in_chans, width, 3, padding=1, bias=False)",
    "nn.Conv2d(self.in_chans, width, 3, bias=False)",
)
resnet.fault("wrong reduction", 'max(1, stage["reduction"] // 4)', 'stage["reduction"]')
resnet.fault("index", "width * 2**stage for stage", "width * (stage + 1) for stage")
resnet.fault("off-by-one", "block=Bottleneck, layers=[3, 4, 23, 3])", "block=Bottleneck, layers=[3, 4, 22, 3])")
resnet.fault("ignored option", "layers=[3, 4, 6, 3], width=16)", "layers=[3, 4, 6, 3])")
resnet.fault("ignored option", "zero_init_last=False", "zero_init_last=True")

janocha = Source(N + "janocha.py", JANOCHA, REGISTRY)
janocha.fault("ignored option", "nn.Dropout(drop_rate or DENSE_DROPOUT)", "nn.Dropout(DENSE_DROPOUT)")
janocha.fault("off-by-one", "        nn.Conv2d(width, width, 3),\n", "        nn.Conv2d(width, width, 3, padding=1),\n")
janocha.fault("dropped call", "        nn.Dropout(CONV_DROPOUT),\n", "")
janocha.fault("swapped part", "features if pre_logits else self.fc(features)", "self.fc(features)")
janocha.fault("index", "(stages[-1], chosen)", "(stages[0], chosen)")

preact = Source(N + "preact_resnet.py", RESNET, REGISTRY)
preact.fault("off-by-one", '"layers": [18, 18, 18]', '"layers": [18, 18, 17]')
preact.fault("dropped call", "        self.stem = nn.Sequential(OrderedDict(conv=stem))\n", "")
preact.fault("sign", 'mode="fan_out"', 'mode="fan_in"')

vgg = Source(N + "vgg.py", REGISTRY, RESNET)
vgg.fault("swapped part", 'cfg=cfgs["vgg19"]', 'cfg=cfgs["vgg16"]')
vgg.fault("ignored option", "norm_layer=nn.BatchNorm2d", "norm_layer=None")
vgg.fault("dropped call", "        self.pre_logits = nn.Identity()\n", "")
