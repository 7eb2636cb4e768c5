"""How fast Cloison is, held against floors: one JSON object a line for each figure, then a table.

One processor for the servers, the other for the load; figures are medians of rounds, and a ratio compares what was measured in turn in the same
run. Exit status 1 only when the bench itself cannot run; a floor that is missed is a line that says so.
"""
import argparse
import json
import os
import sys

from ground import Broken
import measures
import measures_backup
import measures_documents
import measures_keys

MEASURES = measures.MEASURES | measures_backup.MEASURES | measures_documents.MEASURES | measures_keys.MEASURES


def arguments():
    parser = argparse.ArgumentParser(prog='tests/bench/run', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('measure', nargs='*', metavar='MEASURE', help=f'of {", ".join(MEASURES)}; all without a word')
    parser.add_argument('--seconds', type=int, default=5, help='of load each round (default 5)')
    parser.add_argument('--rounds', type=int, default=3, help='of which the median counts (default 3)')
    parser.add_argument('--connections', type=int, default=2000, help='handshakes a round (default 2000)')
    parser.add_argument('--starts', type=int, default=31, help='of a stopped tenant (default 31)')
    parser.add_argument('--tenants', type=int, default=200, help='for the memory of an idle worker (default 200)')
    parser.add_argument('--memory-rounds', type=int, default=1, help='(default 1)')
    options = parser.parse_args()
    for measure in options.measure:
        if measure not in MEASURES:
            parser.error(f'no measure "{measure}"')
    return options


def table(results):
    print(f'\n{"":2}{"measure":46} {"figure":>12} {"floor":>18} {"figure/floor":>13}')
    for r in results:
        print(f'{"  " if r["met"] else "! "}{r["measure"]:46} {r["figure"]:>9.2f} {r["unit"]:<3} {r["bound"]:>8} {r["floor"]:>6g} {r["unit"]:<3} {r["ratio"]:>10.2f}')
    missed = sum(not r['met'] for r in results)
    print(f'\n{len(results) - missed} floors met, {missed} missed')


def main():
    options, results = arguments(), []
    if os.cpu_count() < 2:
        raise Broken('two processors are needed: one for the servers, one for the load')
    for name in options.measure or MEASURES:
        for r in MEASURES[name](options):
            results.append(r)
            print(json.dumps(r, ensure_ascii=False), flush=True)
    table(results)


if __name__ == '__main__':
    try:
        main()
    except (Broken, OSError, AssertionError) as error:
        print(f'tests/bench: {error}', file=sys.stderr)
        sys.exit(1)
