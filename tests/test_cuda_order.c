/* test_cuda_order.c: the card that is none: the order of what is put into streams, and graphs that are captured. */
#include "cuda_trials.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

/* ---- streams and events */

/* Adds in one stream and doubles in another; in how many seeds the sum came first, so that it was doubled, too. */
static int ordered(bool event_between, bool blocking) {
    float *numbers = on_card(COUNT);
    cudaStream_t streams[2];
    cudaEvent_t event = new_event();
    int right = 0;
    for (int i = 0; i < 2; i++)
        good(cudaStreamCreateWithFlags(&streams[i], blocking ? cudaStreamDefault : cudaStreamNonBlocking));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        emulated_seed(seed);
        good(cudaMemset(numbers, 0, COUNT * sizeof *numbers));
        good(cudaDeviceSynchronize());
        add(numbers, 3, streams[0]);
        good(cudaEventRecord(event, streams[0]));
        if (event_between)
            good(cudaStreamWaitEvent(streams[1], event, 0));
        twice(numbers, streams[1]);
        if (!blocking)
            good(cudaDeviceSynchronize());
        right += first_of(numbers) == 6; /* a copy in the legacy stream, for which blocking ones need no more */
    }
    for (int i = 0; i < 2; i++)
        good(cudaStreamDestroy(streams[i]));
    good(cudaEventDestroy(event));
    good(cudaFree(numbers));
    return right;
}

START_TEST(a_missing_event_shows) {
    require(ordered(true, false) == SEEDS && ordered(true, true) == SEEDS);
    int right = ordered(false, false), blocking = ordered(false, true);
    require(right > 0 && right < SEEDS && blocking > 0 && blocking < SEEDS);
}
END_TEST

/* What is in a stream that does not block need not be over when the legacy stream is. */
START_TEST(the_legacy_stream_waits_only_for_those_that_block) {
    float *numbers = on_card(COUNT);
    cudaStream_t stream = new_stream();
    int over = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        emulated_seed(seed);
        good(cudaMemset(numbers, 0, COUNT * sizeof *numbers));
        good(cudaDeviceSynchronize());
        add(numbers, 1, stream);
        over += first_of(numbers) == 1;
        good(cudaStreamSynchronize(stream));
        require(first_of(numbers) == 1);
    }
    require(over > 0 && over < SEEDS);
    good(cudaStreamDestroy(stream));
    good(cudaFree(numbers));
}
END_TEST

START_TEST(nothing_runs_before_somebody_asks) {
    float *pinned = in_host(COUNT);
    cudaStream_t stream = new_stream();
    cudaEvent_t event = new_event();
    int polls = 0;
    pinned[0] = 1;
    good(cudaEventQuery(event)); /* it was never recorded */
    for (int i = 0; i < 10; i++)
        add(pinned, 1, stream);
    good(cudaEventRecord(event, stream));
    require(pinned[0] == 1);
    for (cudaError_t answer = cudaErrorNotReady; answer != cudaSuccess; polls++) {
        answer = cudaEventQuery(event);
        require(answer == cudaSuccess || answer == cudaErrorNotReady);
    }
    require(polls >= 10 && pinned[0] == 11);
    is_error(cudaGetLastError(), cudaErrorNotReady);
    good(cudaStreamQuery(stream));
    good(cudaEventDestroy(event));
    good(cudaStreamDestroy(stream));
    good(cudaFreeHost(pinned));
    require(emulated_held("streams") == 0 && emulated_held("events") == 0);
}
END_TEST

START_TEST(time_passes_between_events) {
    cudaEvent_t from, to, none = new_event();
    float milliseconds = -1;
    good(cudaEventCreate(&from));
    good(cudaEventCreate(&to));
    is_error(cudaEventElapsedTime(&milliseconds, from, to), cudaErrorInvalidResourceHandle);
    good(cudaEventRecord(from, NULL));
    good(cudaEventRecord(to, NULL));
    good(cudaEventRecord(none, NULL));
    is_error(cudaEventElapsedTime(&milliseconds, from, to), cudaErrorNotReady);
    good(cudaEventSynchronize(none));
    good(cudaEventElapsedTime(&milliseconds, from, to));
    require(milliseconds >= 0);
    is_error(cudaEventElapsedTime(&milliseconds, from, none), cudaErrorInvalidResourceHandle);
}
END_TEST

/* ---- functions of the host's */

static cudaError_t called_from_there;

static void ring(void *bell) {
    called_from_there = cudaDeviceSynchronize();
    require(eventfd_write(*(int *)bell, 1) == 0);
}

/* Nobody calls CUDA meanwhile: the card's own thread does it. */
START_TEST(functions_of_the_host_are_called_without_being_waited_for) {
    float *pinned = in_host(COUNT);
    cudaStream_t stream = new_stream();
    struct pollfd bell = {.fd = eventfd(0, 0), .events = POLLIN};
    pinned[0] = 1;
    add(pinned, 1, stream);
    good(cudaLaunchHostFunc(stream, ring, &bell.fd));
    require(poll(&bell, 1, (int)(BOUND * 1000)) == 1);
    good(cudaStreamSynchronize(stream));
    require(pinned[0] == 2 && called_from_there == cudaErrorNotPermitted);
    good(cudaStreamDestroy(stream));
    good(cudaFreeHost(pinned));
    close(bell.fd);
}
END_TEST

/* ... but on a broken card it is not, as CUDA says: who waits for it alone would wait for ever. */
START_TEST(functions_of_the_host_are_not_called_on_a_broken_card) {
    float *numbers = on_card(COUNT);
    long outside = 1L << 40;
    int bell = eventfd(0, EFD_NONBLOCK);
    eventfd_t rung;
    run_kernel("trial_store", 1, 1, 0, NULL, (void *[]){&numbers, &outside});
    good(cudaLaunchHostFunc(NULL, ring, &bell));
    is_error(cudaStreamSynchronize(NULL), cudaErrorIllegalAddress);
    is_error(cudaLaunchHostFunc(NULL, ring, &bell), cudaErrorIllegalAddress);
    emulated_mend();
    good(cudaDeviceSynchronize());
    require(eventfd_read(bell, &rung) < 0 && errno == EAGAIN);
    close(bell);
}
END_TEST

/* ---- graphs */

static cudaGraphExec_t executable_of(cudaGraph_t graph) {
    cudaGraphExec_t executable;
    good(cudaGraphInstantiate(&executable, graph, 0));
    good(cudaGraphDestroy(graph));
    return executable;
}

START_TEST(a_graph_runs_again_on_what_is_there_then) {
    float *numbers = on_card(COUNT), *pinned = in_host(COUNT);
    cudaStream_t stream = new_stream();
    cudaGraph_t graph;
    good(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    good(cudaMemcpyAsync(numbers, pinned, COUNT * sizeof *pinned, cudaMemcpyHostToDevice, stream));
    add(numbers, 1, stream);
    twice(numbers, stream);
    good(cudaMemcpyAsync(pinned, numbers, COUNT * sizeof *pinned, cudaMemcpyDeviceToHost, stream));
    good(cudaStreamEndCapture(stream, &graph));
    cudaGraphExec_t executable = executable_of(graph);
    good(cudaGraphUpload(executable, stream));
    for (int i = 0; i < 3; i++) {
        pinned[COUNT - 1] = (float)i;
        good(cudaGraphLaunch(executable, stream));
        require(pinned[COUNT - 1] == (float)i);
        good(cudaStreamSynchronize(stream));
        require(pinned[COUNT - 1] == (float)(2 * (i + 1)));
    }
    good(cudaGraphLaunch(executable, stream));
    good(cudaGraphLaunch(executable, stream));
    good(cudaGraphExecDestroy(executable)); /* what was launched still runs */
    good(cudaStreamSynchronize(stream));
    require(pinned[COUNT - 1] == 30 && emulated_held("graphs") == 0);
}
END_TEST

/* A fork and a join by events: two streams' work, in some order, between what goes before and what comes after. */
START_TEST(captured_streams_fork_and_join) {
    float *numbers = on_card(COUNT);
    cudaStream_t first = new_stream(), second = new_stream();
    cudaEvent_t fork = new_event(), joint = new_event();
    cudaGraph_t graph;
    int added_first = 0;
    good(cudaStreamBeginCapture(first, cudaStreamCaptureModeGlobal));
    good(cudaMemsetAsync(numbers, 0, COUNT * sizeof *numbers, first));
    good(cudaEventRecord(fork, first));
    good(cudaStreamWaitEvent(second, fork, 0));
    add(numbers, 3, first);
    twice(numbers, second);
    good(cudaEventRecord(joint, second));
    good(cudaStreamWaitEvent(first, joint, 0));
    add(numbers, 100, first);
    good(cudaStreamEndCapture(first, &graph));
    cudaGraphExec_t executable = executable_of(graph);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        emulated_seed(seed);
        good(cudaGraphLaunch(executable, first));
        good(cudaStreamSynchronize(first));
        float number = first_of(numbers);
        require(number == 106 || number == 103);
        added_first += number == 106;
    }
    require(added_first > 0 && added_first < SEEDS);
}
END_TEST

START_TEST(what_a_capture_forbids_ends_it) {
    cudaStream_t stream = new_stream(), other = new_stream();
    cudaEvent_t event = new_event();
    cudaGraph_t graph;
    void *memory;
    float here = 0;
    good(cudaMalloc(&memory, 4));
    for (int i = 0; i < 6; i++) {
        good(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        good(cudaEventRecord(event, stream));
        if (i == 0)
            is_error(cudaStreamSynchronize(stream), cudaErrorStreamCaptureUnsupported);
        else if (i == 1)
            is_error(cudaMalloc(&memory, 1), cudaErrorStreamCaptureUnsupported);
        else if (i == 2)
            is_error(cudaMemcpy(&here, memory, 4, cudaMemcpyDeviceToHost), cudaErrorStreamCaptureImplicit);
        else if (i == 3)
            is_error(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), cudaErrorIllegalState);
        else if (i == 4)
            is_error(cudaDeviceSynchronize(), cudaErrorStreamCaptureUnsupported);
        else
            is_error(cudaStreamQuery(stream), cudaErrorStreamCaptureUnsupported);
        is_error(cudaMemsetAsync(memory, 0, 4, stream), cudaErrorStreamCaptureInvalidated);
        is_error(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
        require(graph == NULL && emulated_held("graphs") == 0);
    }
    is_error(cudaEventSynchronize(event), cudaErrorCapturedEvent);
    is_error(cudaStreamEndCapture(stream, &graph), cudaErrorIllegalState);
    good(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    good(cudaEventRecord(event, stream));
    good(cudaStreamWaitEvent(other, event, 0));
    good(cudaMemsetAsync(memory, 0, 4, other));
    is_error(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureUnjoined);
    good(cudaMemsetAsync(memory, 0, 4, other)); /* it is out of it, too */
    good(cudaStreamSynchronize(other));
}
END_TEST

static void *allocate(void *error) {
    void *memory;
    *(cudaError_t *)error = cudaMalloc(&memory, 4);
    return NULL;
}

/* Of other threads' calls, a capture that is the thread's own knows nothing, and a global one does. */
START_TEST(captures_concern_other_threads_or_not) {
    cudaStream_t stream = new_stream();
    cudaGraph_t graph;
    for (int global = 0; global < 2; global++) {
        pthread_t thread;
        cudaError_t error;
        good(cudaStreamBeginCapture(stream, global ? cudaStreamCaptureModeGlobal : cudaStreamCaptureModeThreadLocal));
        require(pthread_create(&thread, NULL, allocate, &error) == 0 && pthread_join(thread, NULL) == 0);
        is_error(error, global ? cudaErrorStreamCaptureUnsupported : cudaSuccess);
        is_error(cudaStreamEndCapture(stream, &graph), global ? cudaErrorStreamCaptureInvalidated : cudaSuccess);
    }
}
END_TEST

/* ---- the end */

START_TEST(reset_takes_all_back) {
    cudaStream_t stream = new_stream();
    cudaGraph_t graph;
    new_event();
    add(on_card(COUNT), 1, stream);
    good(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    add(on_card(COUNT), 1, stream);
    good(cudaStreamEndCapture(stream, &graph));
    good(cudaDeviceReset());
    require(emulated_held("streams") + emulated_held("events") + emulated_held("graphs") + emulated_held("memory") ==
            0);
}
END_TEST

static void *wait_and_launch(void *numbers) {
    cudaStream_t stream = new_stream();
    for (int i = 0; i < 20; i++) {
        add(numbers, 1, stream);
        good(cudaStreamSynchronize(stream));
    }
    good(cudaStreamDestroy(stream));
    return NULL;
}

START_TEST(threads_share_it) {
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    float *numbers = on_card(COUNT);
    good(cudaMemset(numbers, 0, COUNT * sizeof *numbers));
    good(cudaDeviceSynchronize());
    for (int i = 0; i < THREADS; i++)
        require(pthread_create(&threads[i], NULL, wait_and_launch, numbers) == 0);
    for (int i = 0; i < THREADS; i++)
        require(pthread_join(threads[i], NULL) == 0);
    require(first_of(numbers) == 20 * THREADS);
}
END_TEST

SUITE("cuda_order", a_missing_event_shows, the_legacy_stream_waits_only_for_those_that_block,
      nothing_runs_before_somebody_asks, time_passes_between_events,
      functions_of_the_host_are_called_without_being_waited_for, functions_of_the_host_are_not_called_on_a_broken_card,
      a_graph_runs_again_on_what_is_there_then, captured_streams_fork_and_join, what_a_capture_forbids_ends_it,
      captures_concern_other_threads_or_not, reset_takes_all_back, threads_share_it)
