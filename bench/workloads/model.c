/* model.c: the place of the serving lab's work: 10 000 digits classified by its model. */
#include "workloads.h"

struct workload model_workload = {
    .name = "model",
    .title = "model: 10 000 digits",
    .unit = "images",
    .missing = "not in this table yet; make bench-serving measures the lab that serves it",
};
