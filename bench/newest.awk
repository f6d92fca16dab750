# newest.awk: of the paths that it reads, the one of the newest run. -v kind=scaling.csv: of those that are called
# DATE-scaling.csv, by the first run of a day, or DATE-2-scaling.csv and so on, by the others. Of several machines' the
# first that it reads.
BEGIN {
    FS = "/"
    date_pattern = "^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]-"
}
{
    run = substr($NF, 1, length($NF) - length(kind)) # DATE- or DATE-2-
    if (run kind != $NF || run !~ (date_pattern "([0-9]+-)?$")) next
    date = substr(run, 1, 10)
    number = length(run) > 11 ? substr(run, 12) + 0 : 1
    if (found == "" || date > newest || (date == newest && number > last)) {
        found = $0
        newest = date
        last = number
    }
}
END { if (found != "") print found }
