/* graphs.c: graphs: made executable, and launched as pieces of work that wait for each other as the nodes do. */
#include <stdlib.h>
#include <string.h>

#include "card.h"

struct CUgraphExec_st {
    struct handle handle;
    struct node *nodes;
    size_t count;
    struct work *last; /* the end of its last launch: it does not run twice at a time */
};

static struct node *copy_nodes(const struct node *nodes, size_t count) {
    struct node *copies = calloc(count + 1, sizeof *copies);
    if (copies == NULL)
        card_abort("out of memory");
    for (size_t i = 0; i < count; i++) {
        copies[i] = nodes[i];
        copies[i].needs = (struct set){NULL, 0};
        set_copy(&copies[i].needs, &nodes[i].needs);
        copies[i].argument = malloc(nodes[i].size + 1);
        if (copies[i].argument == NULL)
            card_abort("out of memory");
        memcpy(copies[i].argument, nodes[i].argument, nodes[i].size);
    }
    return copies;
}

static cudaError_t instantiate(cudaGraphExec_t *executable, cudaGraph_t graph) {
    if (executable == NULL || graph == NULL)
        return cudaErrorInvalidValue;
    handle_check(graph, HANDLE_GRAPH);
    *executable = handle_make(HANDLE_EXECUTABLE, sizeof **executable);
    (*executable)->nodes = copy_nodes(graph->nodes, graph->count);
    (*executable)->count = graph->count;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph, unsigned long long flags) {
    (void)flags;
    return CALL(instantiate(executable, graph));
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *executable, cudaGraph_t graph, unsigned long long flags) {
    (void)flags;
    return CALL(instantiate(executable, graph));
}

static cudaError_t check(cudaGraphExec_t executable, cudaStream_t stream) {
    if (executable == NULL)
        return cudaErrorInvalidValue;
    handle_check(executable, HANDLE_EXECUTABLE);
    stream = stream_of(stream);
    return stream->capture == NULL ? cudaSuccess : capture_spoil(stream, cudaErrorStreamCaptureUnsupported);
}

cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t stream) {
    return CALL(check(executable, stream));
}

/* A first piece that waits for the stream, one for each node, and a last one for which the stream waits. */
static cudaError_t launch(cudaGraphExec_t executable, cudaStream_t stream) {
    cudaError_t error = check(executable, stream);
    if (error != cudaSuccess)
        return error;
    stream = stream_of(stream);
    int device = stream->handle.device;
    struct work *first = work_make(device, work_nothing, NULL, 0), *last = work_make(device, work_nothing, NULL, 0);
    struct work **works = calloc(executable->count + 1, sizeof *works);
    if (works == NULL)
        card_abort("out of memory");
    work_need(first, executable->last);
    stream_put(stream, first);
    for (size_t i = 0; i < executable->count; i++) {
        const struct node *node = &executable->nodes[i];
        works[i] = work_make(device, node->run, node->argument, node->size);
        works[i]->calls_host = node->calls_host;
        work_need(works[i], first);
        for (size_t j = 0; j < node->needs.count; j++)
            work_need(works[i], works[node->needs.nodes[j]]);
        work_put(works[i]);
        work_need(last, works[i]);
    }
    stream_put(stream, last);
    work_release(executable->last);
    executable->last = last; /* handed over */
    for (size_t i = 0; i < executable->count; i++)
        work_release(works[i]);
    work_release(first);
    free(works);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    return CALL(launch(executable, stream));
}

static cudaError_t end_graph(cudaGraph_t graph) {
    if (graph == NULL)
        return cudaErrorInvalidValue;
    handle_check(graph, HANDLE_GRAPH);
    graph_free(graph);
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    return GIVE_BACK(end_graph(graph));
}

/* What was launched still runs. */
static cudaError_t end_executable(cudaGraphExec_t executable) {
    if (executable == NULL)
        return cudaErrorInvalidValue;
    handle_check(executable, HANDLE_EXECUTABLE);
    for (size_t i = 0; i < executable->count; i++) {
        free(executable->nodes[i].argument);
        set_free(&executable->nodes[i].needs);
    }
    free(executable->nodes);
    work_release(executable->last);
    handle_destroy(executable);
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    return GIVE_BACK(end_executable(executable));
}

static cudaError_t count_nodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count) {
    if (graph == NULL || count == NULL || nodes != NULL)
        return cudaErrorInvalidValue; /* the nodes themselves are not shown here */
    handle_check(graph, HANDLE_GRAPH);
    *count = graph->count;
    return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count) {
    return CALL(count_nodes(graph, nodes, count));
}

void graphs_reset(int device) {
    for (cudaGraph_t graph = NULL; (graph = handle_next(HANDLE_GRAPH, graph)) != NULL;)
        if (graph->handle.device == device)
            graph_free(graph);
    for (cudaGraphExec_t executable = NULL; (executable = handle_next(HANDLE_EXECUTABLE, executable)) != NULL;)
        if (executable->handle.device == device)
            end_executable(executable);
}
