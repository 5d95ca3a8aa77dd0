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

expected<void> wait_to_read(const services& s) {
    if (!s.wait_to_read) {
        return {};
    }
    std::promise<expected<void>> said;
    s.wait_to_read([&said](const expected<void>& what) { said.set_value(what); });
    return said.get_future().get();
}

} // namespace troupe::runtime
