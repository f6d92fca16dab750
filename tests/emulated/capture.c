/* capture.c: what is put into a stream under capture becomes nodes of a graph; what a card forbids meanwhile. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "card.h"

struct capture {
    struct capture *next;
    cudaStream_t origin; /* NULL: it is over */
    enum cudaStreamCaptureMode mode;
    pthread_t thread;
    bool spoilt;
    cudaGraph_t graph;
};
/* All that there ever were: an event may still speak of one that is over. */
static struct capture *captures;

/* ---- sets of nodes */

void set_free(struct set *set) {
    free(set->nodes);
    *set = (struct set){NULL, 0};
}

void set_add(struct set *set, size_t node) {
    for (size_t i = 0; i < set->count; i++)
        if (set->nodes[i] == node)
            return;
    size_t *nodes = realloc(set->nodes, (set->count + 1) * sizeof *nodes);
    if (nodes == NULL)
        card_abort("out of memory");
    set->nodes = nodes;
    nodes[set->count++] = node;
}

void set_copy(struct set *to, const struct set *from) {
    set_free(to);
    for (size_t i = 0; i < from->count; i++)
        set_add(to, from->nodes[i]);
}

/* ---- what goes wrong with one */

bool capture_is_over(const struct capture *capture) {
    return capture->origin == NULL;
}

cudaError_t capture_forbids(bool legacy) {
    for (struct capture *capture = captures; capture != NULL; capture = capture->next) {
        if (capture->origin == NULL || capture->mode == cudaStreamCaptureModeRelaxed)
            continue;
        if (capture->mode == cudaStreamCaptureModeThreadLocal && !pthread_equal(capture->thread, pthread_self()))
            continue;
        capture->spoilt = true;
        return legacy ? cudaErrorStreamCaptureImplicit : cudaErrorStreamCaptureUnsupported;
    }
    return cudaSuccess;
}

cudaError_t capture_spoil(cudaStream_t stream, cudaError_t error) {
    stream->capture->spoilt = true;
    return error;
}

void capture_forget(cudaStream_t stream) {
    if (stream->capture != NULL)
        stream->capture->spoilt = true;
    if (stream->capture != NULL && stream->capture->origin == stream)
        stream->capture->origin = NULL;
    stream->capture = NULL;
}

/* ---- nodes */

cudaError_t capture_add(cudaStream_t stream, const struct node *node) {
    if (stream->capture->spoilt)
        return cudaErrorStreamCaptureInvalidated;
    cudaGraph_t graph = stream->capture->graph;
    struct node *nodes = realloc(graph->nodes, (graph->count + 1) * sizeof *nodes);
    void *argument = malloc(node->size + 1);
    if (nodes == NULL || argument == NULL)
        card_abort("out of memory");
    if (node->size > 0)
        memcpy(argument, node->argument, node->size);
    graph->nodes = nodes;
    nodes[graph->count] = *node;
    nodes[graph->count].argument = argument;
    nodes[graph->count].needs = stream->tips; /* handed over */
    stream->tips = (struct set){NULL, 0};
    set_add(&stream->tips, graph->count++);
    return cudaSuccess;
}

cudaError_t capture_record(cudaStream_t stream, cudaEvent_t event) {
    if (stream->capture->spoilt)
        return cudaErrorStreamCaptureInvalidated;
    event->capture = stream->capture;
    set_copy(&event->tips, &stream->tips);
    return cudaSuccess;
}

cudaError_t capture_wait(cudaStream_t stream, cudaEvent_t event) {
    struct capture *of_event = event->capture != NULL && !capture_is_over(event->capture) ? event->capture : NULL;
    if ((stream->capture != NULL && stream->capture->spoilt) || (of_event != NULL && of_event->spoilt))
        return cudaErrorStreamCaptureInvalidated;
    if (of_event == NULL) /* outside of the capture */
        return event->record == NULL ? cudaSuccess : capture_spoil(stream, cudaErrorStreamCaptureIsolation);
    if (stream->capture != NULL && stream->capture != of_event) {
        of_event->spoilt = true;
        return capture_spoil(stream, cudaErrorStreamCaptureMerge);
    }
    if (stream->capture == NULL && stream == stream_of(NULL)) {
        of_event->spoilt = true;
        return cudaErrorStreamCaptureImplicit;
    }
    stream->capture = of_event;
    for (size_t i = 0; i < event->tips.count; i++)
        set_add(&stream->tips, event->tips.nodes[i]);
    return cudaSuccess;
}

/* ---- begin and end */

static cudaError_t begin(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
    if (stream == NULL || stream == cudaStreamLegacy)
        return cudaErrorStreamCaptureUnsupported;
    stream = stream_of(stream);
    if (stream->capture != NULL)
        return capture_spoil(stream, cudaErrorIllegalState);
    struct capture *capture = calloc(1, sizeof *capture);
    if (capture == NULL)
        card_abort("out of memory");
    *capture = (struct capture){.next = captures, .origin = stream, .mode = mode, .thread = pthread_self()};
    capture->graph = handle_make(HANDLE_GRAPH, sizeof *capture->graph);
    captures = capture;
    stream->capture = capture;
    set_free(&stream->tips);
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
    return CALL((unsigned)mode > cudaStreamCaptureModeRelaxed ? cudaErrorInvalidValue : begin(stream, mode));
}

/* Whether the stream that ends the capture goes on, directly or not, from each node. */
static bool all_joined(const struct CUgraph_st *graph, const struct set *tips) {
    bool *joined = calloc(graph->count + 1, sizeof *joined), all = true;
    if (joined == NULL)
        card_abort("out of memory");
    for (size_t i = 0; i < tips->count; i++)
        joined[tips->nodes[i]] = true;
    for (size_t i = graph->count; i-- > 0;) { /* a node needs only those before it */
        for (size_t j = 0; joined[i] && j < graph->nodes[i].needs.count; j++)
            joined[graph->nodes[i].needs.nodes[j]] = true;
        all = all && joined[i];
    }
    free(joined);
    return all;
}

void graph_free(cudaGraph_t graph) {
    for (size_t i = 0; i < graph->count; i++) {
        free(graph->nodes[i].argument);
        set_free(&graph->nodes[i].needs);
    }
    free(graph->nodes);
    handle_destroy(graph);
}

static cudaError_t end(cudaStream_t stream, cudaGraph_t *graph) {
    stream = stream_of(stream);
    struct capture *capture = stream->capture;
    if (graph == NULL)
        return cudaErrorInvalidValue;
    *graph = NULL;
    if (capture == NULL)
        return cudaErrorIllegalState;
    if (capture->origin != stream)
        return capture_spoil(stream, cudaErrorStreamCaptureUnmatched);
    if (capture->mode != cudaStreamCaptureModeRelaxed && !pthread_equal(capture->thread, pthread_self()))
        return capture_spoil(stream, cudaErrorStreamCaptureWrongThread);
    cudaError_t error = capture->spoilt ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
    if (error == cudaSuccess && !all_joined(capture->graph, &stream->tips))
        error = cudaErrorStreamCaptureUnjoined;
    capture->origin = NULL;
    for (cudaStream_t other = NULL; (other = handle_next(HANDLE_STREAM, other)) != NULL;) {
        if (other->capture == capture) {
            other->capture = NULL;
            set_free(&other->tips);
        }
    }
    if (error == cudaSuccess)
        *graph = capture->graph;
    else
        graph_free(capture->graph);
    return error;
}

/* Also where it is made to fail, or the card is broken, the capture is over. */
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
    if (graph != NULL)
        *graph = NULL;
    cudaError_t error = GIVE_BACK(end(stream, graph));
    if (error != cudaSuccess && graph != NULL && *graph != NULL) {
        card_lock();
        graph_free(*graph);
        *graph = NULL;
        card_unlock();
    }
    return error;
}

static cudaError_t status(cudaStream_t stream, enum cudaStreamCaptureStatus *answer) {
    stream = stream_of(stream);
    *answer = stream->capture == NULL   ? cudaStreamCaptureStatusNone
              : stream->capture->spoilt ? cudaStreamCaptureStatusInvalidated
                                        : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *answer) {
    return CALL(answer == NULL ? cudaErrorInvalidValue : status(stream, answer));
}
