// boost_queue.cc: Boost.Interprocess' message queue, for bench/channels.c, which loads it if it could be built.
#include <boost/interprocess/ipc/message_queue.hpp>

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <unistd.h>

namespace ipc = boost::interprocess;

// One for each lane. Children that are forked afterwards share them.
static std::unique_ptr<ipc::message_queue> queues[2];

extern "C" {

bool boost_queue_open(std::size_t lane, std::size_t size, std::size_t messages) {
    try {
        // Its name goes again at once: nothing is left behind, however this ends.
        const std::string name = "atelier-bench-" + std::to_string(getpid()) + "-" + std::to_string(lane);
        ipc::message_queue::remove(name.c_str());
        queues[lane] = std::make_unique<ipc::message_queue>(ipc::create_only, name.c_str(), messages, size);
        ipc::message_queue::remove(name.c_str());
        return true;
    } catch (const std::exception &failure) {
        std::fprintf(stderr, "bench: Boost.Interprocess: %s\n", failure.what());
        return false;
    }
}

void boost_queue_close(std::size_t lane) {
    queues[lane].reset();
}

bool boost_queue_put(std::size_t lane, const void *data, std::size_t size) {
    try {
        queues[lane]->send(data, size, 0);
        return true;
    } catch (const std::exception &) {
        return false;
    }
}

bool boost_queue_get(std::size_t lane, void *data, std::size_t size) {
    try {
        ipc::message_queue::size_type received = 0;
        unsigned int priority = 0;
        queues[lane]->receive(data, size, received, priority);
        return received == size;
    } catch (const std::exception &) {
        return false;
    }
}
}
