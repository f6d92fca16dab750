/* deadlines.c: a pairing heap: each holds a list of children, none of whom has an earlier deadline than it has. */
#include "deadlines.h"

/* Makes the later of two roots the first child of the earlier. `back` is the sibling before; a first child's parent. */
static struct waiting *meld(struct waiting *one, struct waiting *other) {
    if (one == NULL || other == NULL)
        return one != NULL ? one : other;
    struct waiting *parent = other->deadline < one->deadline ? other : one, *child = parent == one ? other : one;
    child->back = parent;
    child->sibling = parent->child;
    if (parent->child != NULL)
        parent->child->back = child;
    parent->child = child;
    return parent;
}

/* Makes one heap of siblings: first in pairs, then all; in this order, it costs log n on average. No recursion. */
static struct waiting *meld_siblings(struct waiting *first) {
    struct waiting *pairs = NULL, *root = NULL;
    while (first != NULL) {
        struct waiting *second = first->sibling, *third = second != NULL ? second->sibling : NULL;
        first->sibling = first->back = NULL;
        if (second != NULL)
            second->sibling = second->back = NULL;
        struct waiting *pair = meld(first, second);
        pair->sibling = pairs;
        pairs = pair;
        first = third;
    }
    while (pairs != NULL) {
        struct waiting *next = pairs->sibling;
        pairs->sibling = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    return root;
}

void deadlines_add(struct waiting **earliest, struct waiting *waiting) {
    waiting->child = waiting->sibling = waiting->back = NULL;
    *earliest = meld(*earliest, waiting);
}

void deadlines_remove(struct waiting **earliest, struct waiting *waiting) {
    struct waiting *children = meld_siblings(waiting->child);
    if (waiting == *earliest) {
        *earliest = children;
    } else {
        if (waiting->back->child == waiting)
            waiting->back->child = waiting->sibling;
        else
            waiting->back->sibling = waiting->sibling;
        if (waiting->sibling != NULL)
            waiting->sibling->back = waiting->back;
        *earliest = meld(*earliest, children);
    }
    waiting->child = waiting->sibling = waiting->back = NULL;
}
