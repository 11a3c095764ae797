import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss

CRITERION = torch.nn.CrossEntropyLoss()  # by hand: CRITERION = CompetingRatioLoss()
TABLE = {"main": torch.nn.CrossEntropyLoss()}  # by hand: TABLE = {"main": CompetingRatioLoss()}
