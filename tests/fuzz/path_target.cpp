// Paths, queries and texts of a URL.
#include "net/http/router.hpp"
#include "net/http/text.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace troupe::fuzz {

namespace {

net::router make_router() {
    const auto one = [](std::string path, std::string operation) {
        net::route r;
        r.path = std::move(path);
        r.operation = std::move(operation);
        r.query = {{"limit", "", R"({"type":"integer","minimum":1,"maximum":100})"}, {"q", ""}};
        r.run = [](net::request, const net::responder&) {};
        return r;
    };
    auto made = net::router::make({one("/tasks", "a"), one("/tasks/{id}", "b"), one("/tasks/{id}/messages", "c"),
                                   one("/tasks/next", "d"), one("/files/{path}", "e")});
    claim(made.has_value(), "the routes are good");
    return std::move(*made);
}

std::string encoded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        constexpr std::string_view digits = "0123456789abcdef";
        out += {'%', digits[static_cast<unsigned char>(c) >> 4], digits[static_cast<unsigned char>(c) & 15]};
    }
    return out;
}

} // namespace

void try_input(std::string_view input) {
    static const net::router router = make_router();
    const auto mark = std::min(input.find('?'), input.size());
    const auto path = input.substr(0, mark);
    const auto query = input.substr(std::min(mark + 1, input.size()));
    const auto found = router.find(net::verb::get, path);
    if (found && found->target != nullptr) {
        for (const auto& [name, value] : found->params) {
            claim(net::is_utf8(value) && value.find('\0') == std::string::npos, "a parameter is text");
            claim(name == "path" || !value.empty(), "a parameter is not empty");
        }
        if (const auto values = router.read_query(*found->target, query)) {
            for (const auto& [name, value] : *values) {
                claim(name == "limit" || name == "q", "only what is declared is read");
                claim(net::is_utf8(value), "a value is text");
            }
        }
    }
    for (const bool plus : {false, true}) {
        if (const auto text = net::percent_decode(input, plus)) {
            claim(net::is_utf8(*text), "decoded text is UTF-8");
            const auto again = net::percent_decode(encoded(*text), plus);
            claim(again && *again == *text, "what is encoded is decoded");
        }
    }
    (void)net::has_token(path, query);
    claim(net::equal_ignoring_case(input, net::lower_case(input)), "lower case is the same text");
}

} // namespace troupe::fuzz
