# speedup.gp: what more workers bring: speedup against workers, a panel for each workload, a line for each mode, and the
# laws that are fitted to the threads (fit.gp). A speedup's interval is that of the time, divided into serial's median.
# bench/plot has put its tables into `scratch`, and has set cores.
load "bench/plots/style.gp"

# The panels, from their table.
set datafile separator tab
panels = lines_of(scratch."/speedup")
array name[panels]; array heading[panels]; array waits[panels]; array most[panels]; array best[panels]
stats scratch."/speedup" using (name[$0 + 1] = stringcolumn(1), heading[$0 + 1] = stringcolumn(2), \
    waits[$0 + 1] = int($3), most[$0 + 1] = int($4), best[$0 + 1] = $5) nooutput
lines = system("paste -s -d ' ' '".scratch."/modes'")

# Their places.
across = panels == 1 ? 1 : panels <= 4 ? 2 : panels <= 6 ? 3 : 4
down = (panels + across - 1) / across
left = 0.075; right = 0.985; top = 0.86; bottom = 0.245
key_font = across > 3 ? tiny_font : small_font
key_sample = across > 3 ? 1.2 : 2.2
gap_across = 0.05; gap_down = 0.135
wide = (right - left - (across - 1) * gap_across) / across
high = (top - bottom - (down - 1) * gap_down) / down

# More workers than cores bring no more, but for work that waits.
ideal(n, waiting) = waiting || cores == 0 || n < cores ? n : cores
amdahl(n) = 1 / (s + (1 - s) / n)
usl(n) = n / (1 + a * (n - 1) + b * n * (n - 1))

# Longer than the dashes of any mode, which on paper are black as well.
set dashtype 9 (20, 8)
set multiplot
set label 1 "What do more workers bring?" at screen 0.525, screen 0.955 center font title_font
set label 3 "times as fast as serial: median, 95% interval" at screen 0.018, screen (top + bottom) / 2 \
    center rotate font small_font
set tics font small_font
set xlabel font small_font
set samples 200
unset title

do for [i = 1:panels] {
    if (i == 2) { unset label 1; unset label 3; unset label 1000 }
    place_across = (i - 1) % across
    place_down = (i - 1) / across
    set lmargin at screen left + place_across * (wide + gap_across)
    set rmargin at screen left + place_across * (wide + gap_across) + wide
    set tmargin at screen top - place_down * (high + gap_down)
    set bmargin at screen top - place_down * (high + gap_down) - high
    span = most[i]
    wider = span > 1 ? span - 1 : 1
    waiting = waits[i]
    last = waiting || cores == 0 || span < cores ? span : cores
    # The ideal is cut off where it is far above all that was reached; above all, there is room for the key.
    peak = ideal(span, waiting)
    if (peak > 1.5 * best[i] && peak > 2) { peak = best[i] < 4 / 3.0 ? 2 : 1.5 * best[i] }
    if (peak < best[i]) { peak = best[i] }
    set xrange [1 - 0.04 * wider : span + 0.04 * wider]
    set yrange [0 : 1.6 * peak]
    step = span <= 8 ? 1 : span <= 16 ? 2 : 2 ** floor(log(span) / log(2) - 2)
    set xtics step, step
    set ytics autofreq
    set xlabel (i + across > panels ? "workers" : "")
    set label 2 across > 3 ? short(heading[i]) : heading[i] at graph 0, graph 1.07 left noenhanced \
        font strlen(heading[i]) * across > 110 ? tiny_font : small_font
    if (cores > 0 && cores <= span) {
        set arrow 1 from cores, graph 0 to cores, graph 0.65 nohead dashtype 3 linewidth 2 linecolor rgb grey
    } else {
        unset arrow 1
    }
    amdahl_there = 0; amdahl_says = "Amdahl: no fit"
    usl_there = 0; usl_says = "USL: no fit"
    if (is_there(scratch."/".name[i]."-fits")) { load scratch."/".name[i]."-fits" }
    set key top left Left reverse samplen key_sample spacing 1 font key_font
    shown = ""
    do for [mode in lines] { if (is_there(scratch."/".name[i]."-".mode)) { shown = shown." ".mode } }
    path = scratch."/".name[i]."-"
    # The modes lie a little beside each other, so that no interval hides another.
    beside(mode) = (wider > 3 ? 0.05 : 0.015 * wider) * (place_in(shown, mode) - (1 + words(shown)) / 2.0)
    plot sample [n = 1:span] '+' using (n):(ideal(n, waiting) <= peak ? ideal(n, waiting) : NaN) notitle \
             with lines linewidth 2 linecolor rgb grey, \
         for [mode in shown] path.mode using ($1 + beside(mode)):3:(0):($4 - $3) notitle \
             with vectors nohead linewidth 2 linecolor rgb mode_colour(mode), \
         for [mode in shown] path.mode using ($1 + beside(mode)):2 notitle with linespoints \
             linewidth 2 dashtype mode_dash(mode) pointtype mode_shape(mode) pointsize 1.1 * points \
             linecolor rgb mode_colour(mode), \
         [n = 1:last] '+' using (n):(amdahl_there ? amdahl(n) : NaN) title amdahl_says \
             with lines linewidth 2 dashtype 9 linecolor rgb black, \
         [n = 1:last] '+' using (n):(usl_there ? usl(n) : NaN) title usl_says \
             with lines linewidth 2 dashtype 3 linecolor rgb black
}

# The legend, below all: a plot without anything in it.
set lmargin at screen 0.02
set rmargin at screen 0.98
set tmargin at screen 0.135
set bmargin at screen 0.06
unset border; unset tics; unset xlabel; unset grid; unset arrow; unset label
set key at screen 0.5, screen 0.135 center top Left reverse horizontal maxrows 2
set key samplen 2.2 spacing 1.15 font small_font
plot [0:1] [0:1] NaN notitle, \
     for [mode in lines] keyentry title mode with linespoints linewidth 2 dashtype mode_dash(mode) \
         pointtype mode_shape(mode) pointsize 1.1 * points linecolor rgb mode_colour(mode), \
     keyentry title "ideal" with lines linewidth 2 linecolor rgb grey, \
     keyentry title (cores == 0 ? "" : cores == 1 ? "1 core" : sprintf("%d cores", cores)) \
         with lines linewidth 2 dashtype 3 linecolor rgb grey, \
     keyentry title "Amdahl: threads" with lines linewidth 2 dashtype 9 linecolor rgb black, \
     keyentry title "USL: threads" with lines linewidth 2 dashtype 3 linecolor rgb black
unset multiplot
