"""Tables of papers as files: what is compared, how it is trained, and what was published."""

from finegrained_crl.studies.catalogue import find_study, study_files
from finegrained_crl.studies.study_file import StudyFile

__all__ = ["StudyFile", "find_study", "study_files"]
