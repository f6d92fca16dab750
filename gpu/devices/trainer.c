/* trainer.c: finds the kind of trainer that a text asks for; and the core as a trainer. */
#include "trainer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cards.h"
#include "training.h"

/* ---- The core, which leaves the products to OpenBLAS (gradient.c) */

static int cpu_open(struct trainer *trainer, const char *parameters, struct failure *failure) {
    (void)parameters;
    trainer->state = tape_new(trainer->model, trainer->rows);
    return trainer->state != NULL ? 0 : fail(failure, -ENOMEM, "not enough memory for %zu rows", trainer->rows);
}

static int cpu_gradient(struct trainer *trainer, const float *input, const uint8_t *labels, size_t rows,
                        float *gradient, double *loss, struct failure *failure) {
    (void)failure;
    *loss = gradient_of(trainer->model, input, labels, rows, trainer->state, gradient);
    return 0;
}

static void cpu_close(struct trainer *trainer) {
    tape_free(trainer->state);
}

const struct trainer_kind cpu_trainer = {.open = cpu_open, .gradient = cpu_gradient, .close = cpu_close};

/* ---- Any */

static const char CARD[] = "cuda:";

/* The card's number; NULL: the text is no card's. */
static const char *card_of(const char *text) {
    size_t prefix = sizeof CARD - 1, digits = 0;
    if (strncmp(text, CARD, prefix) == 0)
        digits = strspn(text + prefix, "0123456789");
    return digits > 0 && digits <= 3 && text[prefix + digits] == '\0' ? text + prefix : NULL;
}

int trainer_check(const char *text, struct failure *failure) {
    if (strcmp(text, "cpu") == 0 || card_of(text) != NULL)
        return 0;
    return fail(failure, -EINVAL, "\"%.40s\" cannot be trained on: take cpu, or a card as cuda:0", text);
}

int trainer_open(struct trainer *trainer, const char *text, const struct model *model, size_t rows,
                 struct failure *failure) {
    *trainer = (struct trainer){.model = model, .rows = rows};
    char number[16] = "";
    struct failure unheard;
    failure = failure != NULL ? failure : &unheard;
    int result = trainer_check(text, failure);
    if (result == 0 && card_of(text) != NULL) {
        /* A process that was told its card sees no other: there that card's number is 0 (cards_bind). */
        snprintf(number, sizeof number, "%u", cards_number_here((unsigned)strtoul(card_of(text), NULL, 10)));
        result = cuda_trainer_kind(&trainer->kind, failure);
    } else {
        trainer->kind = &cpu_trainer;
    }
    snprintf(trainer->name, sizeof trainer->name, "%s", text);
    if (result == 0)
        result = trainer->kind->open(trainer, number, failure);
    if (result != 0)
        *trainer = (struct trainer){0};
    return result;
}

void trainer_close(struct trainer *trainer) {
    if (trainer->kind != NULL)
        trainer->kind->close(trainer);
    *trainer = (struct trainer){0};
}
