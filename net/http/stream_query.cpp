#include "net/http/stream_query.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace troupe::net {

namespace {

std::vector<std::string> list_in(const request& r, std::string_view name) {
    std::vector<std::string> out;
    auto text = r.query_value(name).value_or("");
    while (!text.empty()) {
        const auto comma = text.find(',');
        out.emplace_back(text.substr(0, comma));
        text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
    return out;
}

} // namespace

std::vector<query_parameter> stream_parameters() {
    return {{"since", "For streams: the cursor to go on after, or `start`. `Last-Event-ID` wins."},
            {"kind", "For streams: only these kinds of event, with commas; a trailing `*` stands for anything.",
             R"({"type":"string"})", R"("task_*,work_finished")"},
            {"entity", "For streams: only events of these ids, with commas."},
            {"where", "For streams: only events with these members, `MEMBER=VALUE` with commas.",
             R"({"type":"string"})", R"("status=done")"}};
}

expected<void> check_stream_query(const request& r) {
    if (r.query_value("after"))
        return problem{code::invalid_request,
                       "A stream takes no `after`: give `since` (a cursor, or \"start\") or Last-Event-ID.",
                       {{"after", "is for pages; a stream takes `since`"}}};
    if (r.query_value("limit"))
        return problem{code::invalid_request,
                       "A stream takes no `limit`: it goes on until one side ends it. Ask for a page instead.",
                       {{"limit", "is for pages"}}};
    return {};
}

expected<stream_spec> complete(stream_spec spec, const request& r) {
    if (spec.since.empty())
        spec.since = r.header("last-event-id").value_or(r.query_value("since").value_or(""));
    if (spec.filter.empty()) {
        spec.filter = {list_in(r, "kind"), list_in(r, "entity"), list_in(r, "where")};
        if (auto valid = runtime::check(spec.filter); !valid)
            return valid.error();
    }
    return spec;
}

} // namespace troupe::net
