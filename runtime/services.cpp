#include "runtime/services.hpp"

#include <future>
#include <memory>
#include <utility>

namespace troupe::runtime {

reply ask(const services& s, command c) {
    // Shared with the port, which may still be in use when the answer has already been taken.
    const auto answered = std::make_shared<std::promise<reply>>();
    auto answer = answered->get_future();
    s.submit(std::move(c), [answered](reply r) { answered->set_value(std::move(r)); });
    try {
        return answer.get();
    } catch (const std::future_error&) { // the node ended with the command in hand
        return problem{code::unknown_outcome, "the node stopped before it answered; ask again with the same id"};
    }
}

} // namespace troupe::runtime
