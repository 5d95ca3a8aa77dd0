#pragma once

#include "schemas/base/problem.hpp"

#include <chrono>
#include <future>
#include <string>

/// Waiting for an answer where waiting is allowed.
namespace troupe::actors {

/// `unavailable` with that sentence when it is not there in time, or whoever owed it is gone.
template <class Answer>
expected<Answer> wait_for(std::future<expected<Answer>> answer, std::chrono::milliseconds time,
                          const std::string& otherwise) {
    try {
        if (answer.wait_for(time) == std::future_status::ready) {
            return answer.get();
        }
    } catch (const std::future_error&) { // its promise was dropped, as by a node that stops
    }
    return problem{code::unavailable, otherwise, {}, 1};
}

} // namespace troupe::actors
