"""A loss of one parameter, followed by the retrofit's account of gradients as its hooks would."""

from finegrained_crl.retrofit.account.flows import Account
from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.account.streams import Stream


class WatchedParameter:
    """An account with one stream; tests say what passes through it.

    Attributes:
        parameter: what the losses are of.
        account: of the gradients.
        stream: of the losses' values.
    """

    def __init__(self, parameter):
        self.parameter, self.ledger = parameter, Ledger()
        self.account = Account(self.ledger)
        self.stream = Stream(self.ledger.row(kind="call", site="a.py:1"), lambda reason: None)

    @property
    def counted(self):
        """Calls through which gradients flowed, that took part in an update, that were zeroed unused."""
        (counters,) = self.ledger.counts()
        return counters["flowed"], counters["updated"], counters["zeroed"]
