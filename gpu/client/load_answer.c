/* load_answer.c: what came on a run's connections, and what it means for the request there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "load_internal.h"

static const uint64_t REST = 10000000; /* after a failure to connect, for clients that would try again at once */

/* One bit a request. Where memory is short, an answer that comes twice is only seen to be nobody's. */
static void mark_answered(struct run *run, uint64_t request) {
    if (request >= run->answered_room) {
        uint64_t room = (request + 65536) * 2;
        uint8_t *answered = realloc(run->answered, room / 8 + 1);
        if (answered == NULL)
            return;
        memset(answered + run->answered_room / 8, 0, (room - run->answered_room) / 8 + 1);
        run->answered = answered;
        run->answered_room = room / 8 * 8;
    }
    run->answered[request / 8] |= (uint8_t)(1U << request % 8);
}

static bool was_answered(const struct run *run, const struct inference_answer *answer) {
    uint64_t request = answer->number & UINT32_MAX;
    return answer->has_number && answer->number >> 32 == run->salt && request < run->answered_room &&
           (run->answered[request / 8] >> request % 8 & 1) != 0;
}

/* Bytes for which nobody waits: an answer given twice, or rubbish. */
static void count_unasked(struct run *run, const struct client *client, size_t from) {
    const char *bytes = client->connection.received + from;
    size_t length = client->connection.length - from;
    struct response response = {0};
    struct inference_answer answer;
    if (response_read(&response, bytes, length, client->connection.longest) == 1 && response.status == 200 &&
        inference_answer_read(&answer, run->options.target, &response, bytes) && was_answered(run, &answer))
        run->tally->duplicated++;
    else
        run->tally->stray++;
}

static void tell(const struct run *run, const struct client *client, enum outcome outcome, uint64_t latency,
                 const struct inference_answer *answer) {
    struct load_answer told = {
        .request = client->request,
        .question = client->question,
        .outcome = outcome,
        .status = client->connection.response.status,
        .seconds = (double)latency * 1e-9,
        .answer = answer,
    };
    run->options.answered(run->options.context, &told);
}

static void count_end(struct run *run, const struct client *client, enum outcome outcome, uint64_t now,
                      const struct inference_answer *answer) {
    struct tally *tally = run->tally;
    uint64_t latency = now - client->intended;
    run->last = now;
    tally_end(tally, outcome, now - run->window, latency);
    if (outcome == OUTCOME_RIGHT) {
        tally_answer(tally, answer);
        tally->good += run->bound == 0 || latency <= run->bound;
    }
    tally->lost += outcome == OUTCOME_RESET || outcome == OUTCOME_TIMEOUT;
    int status = client->connection.response.status;
    if ((outcome == OUTCOME_RIGHT || outcome == OUTCOME_WRONG || outcome == OUTCOME_REFUSED) && status > 0)
        tally->statuses[status]++;
    tally->retry_after += outcome == OUTCOME_REFUSED && client->connection.response.has_retry;
}

/* A client of a closed loop would fail again at once, and do nothing else. */
static bool rests_after(const struct run *run, enum outcome outcome) {
    return outcome == OUTCOME_CONNECT && run->options.scenario != LOAD_SERVER;
}

static void end_query(struct run *run, const struct client *client, uint64_t now) {
    if (run->options.scenario == LOAD_MULTI && run->outstanding == 0 && run->query_left == 0 && client->measured)
        histogram_add(&run->tally->queries, now - run->query);
}

void run_end_request(struct run *run, struct client *client, enum outcome outcome,
                     const struct inference_answer *answer) {
    uint64_t now = nanoseconds(CLOCK_MONOTONIC);
    bool answered = outcome == OUTCOME_RIGHT || outcome == OUTCOME_WRONG || outcome == OUTCOME_REFUSED;
    if (client->measured)
        count_end(run, client, outcome, now, answer);
    if (run->options.answered != NULL)
        tell(run, client, outcome, now - client->intended, answer);
    if (!answered || !connection_next(&client->connection))
        connection_close(&client->connection);
    if (client->busy) {
        clients_remove(&run->busy, client);
        run->outstanding--;
    }
    client->busy = false;
    client->freed = now;
    client->resting = rests_after(run, outcome) ? now + REST : 0;
    clients_append(&run->idle, client);
    end_query(run, client, now);
}

/* An answer of 200 whose body can be read: is it to this request, and is it right? */
static bool is_right(struct run *run, const struct client *client, const struct inference_answer *answer) {
    const struct questions *questions = run->options.questions;
    if (!answer->has_number || answer->number != (run->salt << 32 | client->request)) {
        run->tally->duplicated += was_answered(run, answer);
        return false;
    }
    mark_answered(run, client->request);
    if (answer->rows != questions->rows || answer->outputs != questions->outputs)
        return false;
    double tolerance = run->options.tolerance > 0 ? run->options.tolerance : 1e-4;
    return !run->options.verify || questions_right(questions, client->question, answer, tolerance, run->numbers);
}

static enum outcome judge(struct run *run, const struct client *client, struct inference_answer *answer) {
    const struct connection *connection = &client->connection;
    if (connection->response.status != 200)
        return OUTCOME_REFUSED;
    if (!inference_answer_read(answer, run->options.target, &connection->response, connection->received)) {
        run->tally->fault = answer->fault;
        return OUTCOME_MALFORMED;
    }
    return is_right(run, client, answer) ? OUTCOME_RIGHT : OUTCOME_WRONG;
}

static void take_answer(struct run *run, struct client *client) {
    struct connection *connection = &client->connection;
    struct inference_answer answer;
    size_t end = response_end(&connection->response);
    enum outcome outcome = judge(run, client, &answer);
    if (connection->length > end)
        count_unasked(run, client, end);
    if (outcome == OUTCOME_WRONG)
        connection->response.close = true; /* whatever comes next on it would be taken for the next answer */
    run_end_request(run, client, outcome, outcome == OUTCOME_RIGHT || outcome == OUTCOME_WRONG ? &answer : NULL);
}

/* Nobody waits for anything here: either it has connected, or the server has closed it, or it says too much. */
static void handle_idle(struct run *run, struct client *client, int result) {
    if (client->connection.length > 0)
        count_unasked(run, client, 0);
    if (result != 0 || client->connection.length > 0)
        connection_close(&client->connection);
}

void run_handle(struct run *run, struct client *client, uint32_t events) {
    struct connection *connection = &client->connection;
    uint64_t sent = connection->bytes_sent, received = connection->bytes_received;
    int result = connection_ready(connection);
    run->tally->bytes_sent += connection->bytes_sent - sent;
    run->tally->bytes_received += connection->bytes_received - received;
    if (result == 1 && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        connection->ended = true;
    if (!client->busy) {
        handle_idle(run, client, result);
    } else if (result == 1) {
        take_answer(run, client);
    } else if (result == -EBADMSG) {
        run->tally->fault = connection->response.fault;
        run_end_request(run, client, OUTCOME_MALFORMED, NULL);
    } else if (result < 0) {
        bool connecting = connection->state == CONNECTION_CONNECTING;
        run_end_request(run, client, connecting ? OUTCOME_CONNECT : OUTCOME_RESET, NULL);
    }
}
