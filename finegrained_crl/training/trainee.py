"""Method, model and criteria as one module: what is wrapped, averaged, saved and evaluated."""

from __future__ import annotations

from torch import Tensor, nn

from finegrained_crl.training.criteria import Criteria
from finegrained_crl.training.method import FineGrainedModel, Method, TrainBatch


class Trainee(nn.Module):
    """Model and criteria as one module, so that whatever either of them learns is wrapped, averaged and saved alike."""

    def __init__(self, method: Method, model: FineGrainedModel, criteria: Criteria) -> None:
        super().__init__()
        self.method, self.model, self.criteria = method, model, criteria

    def forward(self, batch: TrainBatch) -> tuple[dict[str, Tensor], Tensor]:
        """Losses by role and scores; see `Method.training_step`."""
        return self.method.training_step(self.model, self.criteria, batch)

    def scores(self, images: Tensor) -> Tensor:
        """Test-time scores, (batch, num_classes)."""
        return self.method.scores(self.model, self.criteria, images)
