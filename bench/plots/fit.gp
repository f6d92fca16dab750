# fit.gp: Amdahl's law and Gunther's universal scalability law (USL), fitted to measured speedups, for speedup.gp.
# Its caller has set points (a file: workers and speedup, by tabs) and last (more workers than this are not fitted).
# Prints what speedup.gp loads: for each law whether there is a curve, its parameters, and what the key says.
#     Amdahl (1967): s is the part of the work that only one worker can do.
#     Gunther (2007): a is the cost of waiting for one another (contention), b that of keeping in step (coherency).
set fit quiet logfile "/dev/null"
set datafile separator tab
set print "-"

amdahl(n) = 1 / (s + (1 - s) / n)
usl(n) = n / (1 + a * (n - 1) + b * n * (n - 1))

# One worker tells nothing of either law: both say 1.
chosen = "awk '$1 > 1 && $1 <= ".sprintf("%d", last)." && $2 > 0' '".points."' 2>/dev/null"
count = int(system(chosen." | wc -l"))

if (count < 1) {
    print "amdahl_there = 0; amdahl_says = 'Amdahl: no point to fit'"
} else {
    # From the last point, as if it alone told s; where it does, this is s. A search that starts at 0 finds no way.
    s = real(system(chosen." | awk 'END { print ($1 / $2 - 1) / ($1 - 1) }'"))
    start = abs(s) < 1e-3 ? 1e-3 : s
    if (count > 1) {
        s = start
        fit amdahl(x) "< ".chosen using 1:2 via s
    }
    says = s < 0 ? "superlinear (s < 0)" : s > 1 ? "no gain (s > 1)" : sprintf("s = %.3f", s)
    s = s < 0 ? 0 : s > 1 ? 1 : s
    print sprintf("amdahl_there = 1; s = %.6g; amdahl_says = 'Amdahl: %s'", s, says)
}

if (count < 3) {
    print sprintf("usl_there = 0; usl_says = 'USL: needs 3 points, has %d'", count)
} else {
    a = start; b = 1e-4
    fit usl(x) "< ".chosen using 1:2 via a, b
    # Neither can be below 0. One that would be is held there, and the other fitted anew.
    if (b < 0) {
        b = 0; a = start
        fit usl(x) "< ".chosen using 1:2 via a
    } else { if (a < 0) {
        a = 0; b = 1e-4
        fit usl(x) "< ".chosen using 1:2 via b
    } }
    exponent = b > 0 ? floor(log10(b)) : 0
    b_says = b >= 0.001 ? sprintf("%.3f", b) : b < 1e-6 ? "0" : sprintf("%.1f·10^{%d}", b / 10 ** exponent, exponent)
    says = a < 0 || b < 0 ? "superlinear (α, β < 0)" : sprintf("α = %s, β = %s", a == 0 ? "0" : sprintf("%.3f", a), b_says)
    a = a < 0 ? 0 : a; b = b < 0 ? 0 : b
    print sprintf("usl_there = 1; a = %.6g; b = %.6g; usl_says = 'USL: %s'", a, b, says)
}
