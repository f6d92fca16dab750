# fit.gp: Amdahl's law and Gunther's universal scalability law (USL), fitted to measured speedups, for speedup.gp.
# Its caller has set points (a file: workers and speedup, by tabs) and last (more workers than this are not fitted).
# Prints what speedup.gp loads: for each law whether there is a curve, its parameters, and what the key says.
#     Amdahl (1967): s is the part of the work that only one worker can do.
#     Gunther (2007): a is the cost of waiting for one another (contention), b that of keeping in step (coherency).
set fit quiet logfile "/dev/null"
set datafile separator tab
set print "-"

# What is fitted is t = 1 + s, p = 1 + a and q = 1 + 1000 b: a search that comes to 0 finds no way on, as gnuplot takes
# slopes over a part of the parameter.
amdahl(n) = 1 / (t - 1 + (2 - t) / n)
usl(n) = n / (1 + (p - 1) * (n - 1) + (q - 1) / 1000 * n * (n - 1))
clean(number) = abs(number) < 1e-9 ? 0 : number

# One worker tells nothing of either law: both say 1.
chosen = "awk '$1 > 1 && $1 <= ".sprintf("%d", last)." && $2 > 0' '".points."' 2>/dev/null"
count = int(system(chosen." | wc -l"))

if (count < 1) {
    print "amdahl_there = 0; amdahl_says = 'Amdahl: no point to fit'"
} else {
    # From the last point, as if it alone told s; where it does, this is s.
    s = real(system(chosen." | awk 'END { print ($1 / $2 - 1) / ($1 - 1) }'"))
    start = 1 + s
    if (count > 1) {
        t = start
        fit amdahl(x) "< ".chosen using 1:2 via t
        s = clean(t - 1)
    }
    says = s < 0 ? "superlinear (s < 0)" : s > 1 ? "no gain (s > 1)" : sprintf("s = %.3f", s)
    s = s < 0 ? 0 : s > 1 ? 1 : s
    print sprintf("amdahl_there = 1; s = %.6g; amdahl_says = 'Amdahl: %s'", s, says)
}

if (count < 3) {
    print sprintf("usl_there = 0; usl_says = 'USL: needs 3 points, has %d'", count)
} else {
    p = start; q = 1.1
    fit usl(x) "< ".chosen using 1:2 via p, q
    # Neither can be below 0. One that would be is held there, and the other fitted anew.
    if (clean(q - 1) < 0) {
        q = 1; p = start
        fit usl(x) "< ".chosen using 1:2 via p
    } else { if (clean(p - 1) < 0) {
        p = 1; q = 1.1
        fit usl(x) "< ".chosen using 1:2 via q
    } }
    a = clean(p - 1); b = clean((q - 1) / 1000)
    exponent = b > 0 ? floor(log10(b)) : 0
    b_says = b >= 0.001 ? sprintf("%.3f", b) : b < 1e-6 ? "0" : sprintf("%.1f·10^{%d}", b / 10 ** exponent, exponent)
    a_says = a == 0 ? "0" : sprintf("%.3f", a)
    says = a < 0 || b < 0 ? "superlinear (α, β < 0)" : sprintf("α = %s, β = %s", a_says, b_says)
    a = a < 0 ? 0 : a; b = b < 0 ? 0 : b
    print sprintf("usl_there = 1; a = %.6g; b = %.6g; usl_says = 'USL: %s'", a, b, says)
}
