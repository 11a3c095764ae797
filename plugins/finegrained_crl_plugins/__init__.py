"""Methods that ship with finegrained-crl, one folder each; found by folder, see `finegrained_crl.discovery`."""
