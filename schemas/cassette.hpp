#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Recorded model calls, as a node has them in its folder (`model.cassettes`).
namespace troupe {

/// An item of GET /cassettes
struct cassette_document {
    std::string name; ///< Runs play it as the model cassette:NAME.
    std::uint64_t bytes = 0;
    timestamp changed_at;
};
BOOST_DESCRIBE_STRUCT(cassette_document, (), (name, bytes, changed_at))

/// One call of a cassette, shortened for people.
struct cassette_call_document {
    std::string model;
    std::uint64_t messages = 0; ///< Of the context that was sent.
    std::string asked;          ///< The last of them.
    std::string answer;
    std::vector<std::string> tools; ///< That the answer calls.
    std::uint64_t input_tokens = 0;
    std::uint64_t output_tokens = 0;
    std::optional<std::string> problem; ///< In place of an answer.
};
BOOST_DESCRIBE_STRUCT(cassette_call_document, (),
                      (model, messages, asked, answer, tools, input_tokens, output_tokens, problem))

/// GET /cassettes/{name}
struct cassette_content_document : cassette_document {
    std::uint64_t calls_count = 0;
    std::vector<cassette_call_document> calls; ///< The first 1,000.
};
BOOST_DESCRIBE_STRUCT(cassette_content_document, (cassette_document), (calls_count, calls))

} // namespace troupe
