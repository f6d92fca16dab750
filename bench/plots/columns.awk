# columns.awk: of a CSV, the columns of these names, by blanks. -v names="x p50_us": which; -v series=serial: only the
# rows that have this in the first column. The names are those of the first line; texts with commas stand behind them.
BEGIN { FS = ","; count = split(names, name, " ") }
NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
series == "" || $1 == series {
    line = ""
    for (i = 1; i <= count; i++) {
        value = name[i] in at ? $at[name[i]] : ""
        line = line (i > 1 ? " " : "") (value == "" ? "?" : value)
    }
    print line
}
