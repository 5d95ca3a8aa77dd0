#include "runtime/services.hpp"

#include <future>
#include <memory>
#include <utility>

namespace troupe::runtime {

reply ask(const services& s, command c) {
    // The port alone holds the promise: one that is dropped unanswered breaks it.
    auto answered = std::make_shared<std::promise<reply>>();
    auto answer = answered->get_future();
    s.submit(std::move(c), [answered = std::move(answered)](reply r) { answered->set_value(std::move(r)); });
    try {
        return answer.get();
    } catch (const std::future_error&) { // the node ended with the command in hand
        return problem{code::unknown_outcome, "the node stopped before it answered; ask again with the same id"};
    }
}

} // namespace troupe::runtime
