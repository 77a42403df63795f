"""pyeclib, with the libisal that its loader finds, encodes; every pattern of up to m lost fragments
is decoded and rebuilt.

The fragments go to the standard output, so that two runs with two libraries can be compared.

Usage: pyeclib_fragments.py LIBRARY
LIBRARY is the file that must have been loaded in the end.
"""

import itertools
import os
import random
import sys

from pyeclib.ec_iface import ECDriver

CODES = [(2, 1), (3, 2), (4, 3), (6, 3), (10, 4)]
TYPES = ["isa_l_rs_vand", "isa_l_rs_vand_inv", "isa_l_rs_cauchy"]


def lose_and_decode(driver, units, most, data):
    """Encodes one object and brings it back from every loss. Returns how many there were."""
    fragments = driver.encode(data)
    for fragment in fragments:
        sys.stdout.buffer.write(fragment)
    losses = 0
    for count in range(1, most + 1):
        for lost in itertools.combinations(range(units), count):
            left = [fragments[unit] for unit in range(units) if unit not in lost]
            assert driver.decode(left) == data, lost
            rebuilt = driver.reconstruct(left, list(lost))
            assert rebuilt == [fragments[unit] for unit in lost], lost
            losses += 1
    return losses


def main():
    """All codes of all types; then where the library came from."""
    expected = os.path.realpath(sys.argv[1])
    numbers = random.Random(1)
    losses = 0
    for ec_type in TYPES:
        for k, m in CODES:
            driver = ECDriver(ec_type=ec_type, k=k, m=m)
            for length in (1, 30_011):
                losses += lose_and_decode(driver, k + m, m, numbers.randbytes(length))
    with open("/proc/self/maps", encoding="utf-8") as maps:
        loaded = {line.split()[-1] for line in maps if "libisal" in line}
    assert loaded == {expected}, f"loaded {loaded}, expected {expected}"
    print(f"pyeclib with {expected}: {losses} losses decoded", file=sys.stderr)


main()
