"""Ratios from the samples of bench/run.

    report.py SAMPLES RATIOS [MARKDOWN]

SAMPLES: lines "measurement round value", tab-separated.
RATIOS:  lines "label numerator denominator limit unit"; limit is "<= 1.10",
         ">= 2.5" or "-".  A measurement that was not made leaves its line out.
MARKDOWN: a file to write the table to; the text before it is read from
         standard input.

A ratio is formed within each round, between measurements that are near in time; median,
smallest and largest are over the rounds.
"""
import statistics
import sys


def read_samples(path):
    samples = {}
    with open(path) as file:
        for line in file:
            measurement, number, value = line.rstrip("\n").split("\t")
            samples.setdefault(measurement, {})[int(number)] = float(value)
    return samples


def verdict(limit, median):
    if limit == "-":
        return ""
    sign, bound = limit.split()
    met = median <= float(bound) if sign == "<=" else median >= float(bound)
    return "ok" if met else "missed"


def short(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


def rows(samples, path):
    with open(path) as file:
        for line in file:
            label, above, below, limit, unit = line.rstrip("\n").split("\t")
            if above not in samples or below not in samples:
                continue
            rounds = sorted(samples[above].keys() & samples[below].keys())
            ratios = [samples[above][r] / samples[below][r] for r in rounds]
            median = statistics.median(ratios)
            values = [statistics.median(samples[m][r] for r in rounds) for m in (above, below)]
            digits = 4 if unit == "kinstr" else 3
            yield [label, "" if limit == "-" else limit,
                   *(f"{ratio:.{digits}f}" for ratio in (median, min(ratios), max(ratios))),
                   str(len(rounds)), verdict(limit, median),
                   f"{short(values[0])} : {short(values[1])} {unit}"]


HEAD = ["ratio", "target", "median", "min", "max", "rounds", "", "medians of the two"]


def main():
    table = list(rows(read_samples(sys.argv[1]), sys.argv[2]))
    widths = [max(len(line[i]) for line in [HEAD] + table) for i in range(len(HEAD))]
    for line in [HEAD] + table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    if len(sys.argv) > 3:
        with open(sys.argv[3], "w") as file:
            file.write(sys.stdin.read() + "\n")
            for line in [HEAD, ["---"] * len(HEAD)] + table:
                file.write("| " + " | ".join(line) + " |\n")


main()
