#pragma once

#include "net/model/model.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Model calls that were recorded: requests, and what came back. Pure.
///
/// A cassette is a text file, a JSON object a line: a header, then a call each. What differs from run to run (ids,
/// times, durations) is not compared, nor what tools say of themselves; all that was said, called and answered is.
namespace troupe::actors {

inline constexpr std::string_view cassette_format = "troupe-cassette/1";
inline constexpr std::size_t cassette_bytes_max = 256 << 20;

struct cassette_call {
    std::string id;
    std::string name;
    std::string arguments;
};
BOOST_DESCRIBE_STRUCT(cassette_call, (), (id, name, arguments))

struct cassette_message {
    std::string role;
    std::string content;
    std::vector<cassette_call> tool_calls;
    std::string tool_name;
    bool is_error = false;
};
BOOST_DESCRIBE_STRUCT(cassette_message, (), (role, content, tool_calls, tool_name, is_error))

struct cassette_request {
    std::string model;
    std::vector<cassette_message> messages;
    std::vector<std::string> tools; ///< Their names.
};
BOOST_DESCRIBE_STRUCT(cassette_request, (), (model, messages, tools))

struct cassette_reply {
    std::string content;
    std::string reasoning;
    std::vector<cassette_call> tool_calls;
    std::string finish;
    std::string model;
    std::string reasoning_state;
    std::uint64_t input_tokens = 0;
    std::uint64_t output_tokens = 0;
};
BOOST_DESCRIBE_STRUCT(cassette_reply, (),
                      (content, reasoning, tool_calls, finish, model, reasoning_state, input_tokens, output_tokens))

/// What the provider refused with, or how it failed.
struct cassette_problem {
    std::string code;
    std::string detail;
    std::optional<std::uint32_t> retry_after_s;
};
BOOST_DESCRIBE_STRUCT(cassette_problem, (), (code, detail, retry_after_s))

/// One call: `reply` or `problem`.
struct cassette_entry {
    cassette_request request;
    std::vector<std::string> pieces; ///< The text as it streamed.
    std::optional<cassette_reply> reply;
    std::optional<cassette_problem> problem;
};
BOOST_DESCRIBE_STRUCT(cassette_entry, (), (request, pieces, reply, problem))

cassette_request to_cassette(const net::model_request& request);
cassette_reply to_cassette(const net::model_reply& reply);
net::model_reply from_cassette(const cassette_reply& reply);

/// The first line of a new cassette, with its line feed.
std::string cassette_header();
/// The line of a call.
std::string to_line(const cassette_entry& entry);

class cassette {
public:
    /// A cassette's text. A last line that was cut, as by a crash, is left out. `script_invalid` names the line.
    static expected<cassette> parse(std::string_view text);

    [[nodiscard]] const std::vector<cassette_entry>& entries() const { return entries_; }

    /// What came of this request, the `nth` time (from 0) that it is made; the last of its answers after that.
    /// `script_exhausted` shows where the nearest recorded request differs: lines with "-" are recorded, with "+" new.
    [[nodiscard]] expected<const cassette_entry*> find(const cassette_request& request, std::size_t nth) const;

private:
    std::vector<cassette_entry> entries_;
    std::vector<std::vector<std::string>> texts_; ///< Of each entry: its messages, as they are compared.
};

} // namespace troupe::actors
