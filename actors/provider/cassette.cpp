#include "actors/provider/cassette.hpp"

#include <boost/regex.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::size_t shown_lines_max = 12;
constexpr std::size_t shown_line_bytes_max = 200;

struct cassette_head {
    std::string format;
};
BOOST_DESCRIBE_STRUCT(cassette_head, (), (format))

std::vector<cassette_call> to_cassette(const std::vector<net::tool_call>& calls) {
    std::vector<cassette_call> out;
    for (const auto& call : calls) {
        out.push_back({call.id, call.name, call.arguments});
    }
    return out;
}

/// Without what is another one in each run.
std::string comparable(const std::string& text) {
    static const std::pair<boost::regex, std::string> volatile_parts[] = {
        {boost::regex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"},
        {boost::regex(R"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)"), "<time>"},
        {boost::regex(R"(\b\d+(\.\d+)? ?(ms|s|seconds?)\b)"), "<span>"}};
    auto out = text;
    for (const auto& [pattern, name] : volatile_parts) {
        out = boost::regex_replace(out, pattern, name);
    }
    return out;
}

/// A message as it is compared and shown. Ids of calls are the provider's, and mean nothing.
std::string text_of(const cassette_message& m) {
    auto out =
        m.role + (m.tool_name.empty() ? "" : " " + m.tool_name) + (m.is_error ? " (error)" : "") + "\n" + m.content;
    for (const auto& call : m.tool_calls) {
        const auto arguments = json::make_raw(call.arguments);
        out += "\n→ " + call.name + " " + (arguments ? arguments->text : call.arguments);
    }
    return comparable(out);
}

std::vector<std::string> texts_of(const cassette_request& request) {
    std::vector<std::string> out;
    for (const auto& m : request.messages) {
        out.push_back(text_of(m));
    }
    out.push_back("tools\n" + fmt::format("{}", fmt::join(request.tools, "\n")));
    return out;
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const auto end = text.find('\n');
        out.push_back(text.substr(0, end));
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
    return out;
}

void add_lines(std::string& out, char mark, const std::vector<std::string_view>& lines, std::size_t from,
               std::size_t to) {
    for (auto at = from; at < std::min(to, from + shown_lines_max); ++at) {
        out += fmt::format("{} {}{}\n", mark, lines[at].substr(0, shown_line_bytes_max),
                           lines[at].size() > shown_line_bytes_max ? " …" : "");
    }
    if (to > from + shown_lines_max) {
        out += fmt::format("{} … {} more lines …\n", mark, to - from - shown_lines_max);
    }
}

/// What is between the lines that both begin with and those that both end with.
std::string difference(std::string_view recorded, std::string_view asked) {
    const auto a = lines_of(recorded);
    const auto b = lines_of(asked);
    std::size_t begin = 0;
    while (begin < std::min(a.size(), b.size()) && a[begin] == b[begin]) {
        ++begin;
    }
    std::size_t end = 0;
    while (end < std::min(a.size(), b.size()) - begin && a[a.size() - 1 - end] == b[b.size() - 1 - end]) {
        ++end;
    }
    std::string out;
    add_lines(out, '-', a, begin, a.size() - end);
    add_lines(out, '+', b, begin, b.size() - end);
    return out;
}

std::size_t common_beginning(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

} // namespace

cassette_request to_cassette(const net::model_request& request) {
    cassette_request out{request.model, {}, {}};
    for (const auto& m : request.messages) {
        out.messages.push_back(
            {std::string(detail::enum_name(m.role)), m.content, to_cassette(m.tool_calls), m.tool_name, m.is_error});
    }
    for (const auto& tool : request.tools) {
        out.tools.push_back(tool.name);
    }
    return out;
}

cassette_reply to_cassette(const net::model_reply& reply) {
    return {reply.content,
            reply.reasoning,
            to_cassette(reply.tool_calls),
            std::string(detail::enum_name(reply.finish)),
            reply.model,
            reply.reasoning_state,
            reply.usage.input,
            reply.usage.output};
}

net::model_reply from_cassette(const cassette_reply& reply) {
    net::model_reply out;
    out.content = reply.content;
    out.reasoning = reply.reasoning;
    for (const auto& call : reply.tool_calls) {
        out.tool_calls.push_back({call.id, call.name, call.arguments});
    }
    out.finish = detail::enum_value<net::finish_reason>(reply.finish).value_or(net::finish_reason::stop);
    out.model = reply.model;
    out.reasoning_state = reply.reasoning_state;
    out.usage = {reply.input_tokens, reply.output_tokens};
    return out;
}

std::string cassette_header() { return to_json(cassette_head{std::string(cassette_format)}) + "\n"; }

std::string to_line(const cassette_entry& entry) { return to_json(entry) + "\n"; }

expected<cassette> cassette::parse(std::string_view text) {
    const auto wrong = [](std::size_t line, std::string why) {
        return problem{code::script_invalid, fmt::format("line {} of the cassette: {}", line, why)};
    };
    if (text.size() > cassette_bytes_max) {
        return wrong(1, fmt::format("it has over {} MiB", cassette_bytes_max >> 20));
    }
    cassette out;
    for (std::size_t number = 1; text.find('\n') != text.npos; ++number) { // a line without an end was cut
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(line.size() + 1);
        if (number == 1) {
            const auto head = from_json<cassette_head>(line, strictness::stored);
            if (!head || head->format != cassette_format) {
                return wrong(number, fmt::format("this is no {}", cassette_format));
            }
            continue;
        }
        auto entry = from_json<cassette_entry>(line, strictness::stored);
        if (!entry) {
            return wrong(number, entry.error().detail);
        }
        if (entry->reply.has_value() == entry->problem.has_value()) {
            return wrong(number, "it has to have either a reply or a problem");
        }
        out.texts_.push_back(texts_of(entry->request));
        out.entries_.push_back(std::move(*entry));
    }
    return out;
}

expected<const cassette_entry*> cassette::find(const cassette_request& request, std::size_t nth) const {
    const auto asked = texts_of(request);
    const cassette_entry* found = nullptr;
    std::size_t nearest = 0;
    std::size_t common = 0;
    for (std::size_t at = 0; at < entries_.size(); ++at) {
        if (texts_[at] == asked) {
            found = &entries_[at];
            if (nth-- == 0) {
                break;
            }
        }
        if (const auto same = common_beginning(texts_[at], asked); same > common) {
            common = same;
            nearest = at;
        }
    }
    if (found) {
        return found;
    }
    if (entries_.empty()) {
        return problem{code::script_exhausted, "Nothing is recorded on this cassette."};
    }
    const auto& recorded = texts_[nearest];
    return problem{code::script_exhausted,
                   fmt::format("No recorded call is this one. The nearest, call {} of {}, differs first in message {} "
                               "(- recorded, + asked):\n{}",
                               nearest + 1, entries_.size(), common + 1,
                               difference(common < recorded.size() ? recorded[common] : "",
                                          common < asked.size() ? asked[common] : ""))};
}

} // namespace troupe::actors
