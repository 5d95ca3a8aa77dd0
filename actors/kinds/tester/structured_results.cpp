#include "actors/kinds/scanned_text.hpp"
#include "actors/kinds/tester/test_results.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/limits.hpp"

#include <libxml/xmlreader.h>

#include <map>
#include <memory>

/// Results that programs write for programs: JUnit's XML, JSON.
namespace troupe::actors {

namespace {

constexpr std::size_t document_bytes_max = 32 * limits::mib;
constexpr std::size_t message_bytes_max = 2000;

using reader = std::unique_ptr<xmlTextReader, decltype(&xmlFreeTextReader)>;

std::string attribute(xmlTextReader* xml, const char* name) {
    const std::unique_ptr<xmlChar, decltype(xmlFree)> value(
        xmlTextReaderGetAttribute(xml, reinterpret_cast<const xmlChar*>(name)), xmlFree);
    return value ? reinterpret_cast<const char*>(value.get()) : "";
}

/// "- file   : t.cpp" and "- line   : 7" of Boost.Test, which names "unknown location" and 0 before it knows better.
std::optional<source_place> boost_place(std::string_view text) {
    for (scanner in(text); in.until("- file");) {
        in.blanks().skip(":");
        const auto file = in.blanks().until("\n");
        if (!file || !in.skip("- line")) {
            continue;
        }
        in.blanks().skip(":");
        if (const auto line = in.blanks().number().value_or(0); line > 0) {
            return source_place{std::string(trimmed(*file)), static_cast<std::uint32_t>(line), 0};
        }
    }
    return std::nullopt;
}

/// A document read from its front to its end; cases are counted, whatever the suites claim.
class junit_reader {
public:
    explicit junit_reader(xmlTextReader* xml) : xml_(xml) {}

    std::optional<test_outcomes> read() {
        bool suite = false;
        int more = xmlTextReaderRead(xml_);
        for (; more == 1; more = xmlTextReaderRead(xml_)) {
            const auto* text = reinterpret_cast<const char*>(xmlTextReaderConstName(xml_));
            const std::string_view name = text ? text : "";
            switch (xmlTextReaderNodeType(xml_)) {
            case XML_READER_TYPE_ELEMENT:
                suite = suite || name == "testsuite" || name == "testsuites";
                begin(name);
                break;
            case XML_READER_TYPE_END_ELEMENT:
                end(name);
                break;
            case XML_READER_TYPE_TEXT:
            case XML_READER_TYPE_CDATA:
                take_text();
                break;
            case XML_READER_TYPE_DOCUMENT_TYPE:
                return std::nullopt;
            default:
                break;
            }
        }
        return more == 0 && suite ? std::optional(std::move(out_)) : std::nullopt;
    }

private:
    void begin(std::string_view name) {
        const bool empty = xmlTextReaderIsEmptyElement(xml_) == 1;
        if (name == "testcase") {
            const auto group = attribute(xml_, "classname");
            const auto own = attribute(xml_, "name");
            now_ = {};
            now_.name = group.empty() || group == own ? own : group + "." + own;
            now_.file = attribute(xml_, "file");
            now_.line = static_cast<std::uint32_t>(scanner(attribute(xml_, "line")).number().value_or(0));
            now_.message.clear();
            text_.clear();
            failed_ = skipped_ = false;
            skipped_ = attribute(xml_, "status") == "notrun" || attribute(xml_, "status") == "disabled";
        } else if (name == "failure" || name == "error") {
            failed_ = true;
            if (now_.message.empty()) {
                now_.message = attribute(xml_, "message");
            }
        } else if (name == "skipped") {
            skipped_ = true;
        }
        if (empty) {
            end(name);
        } else {
            keeps_ = name == "failure" || name == "error" || name == "system-out";
        }
    }

    void take_text() {
        const auto* text = reinterpret_cast<const char*>(xmlTextReaderConstValue(xml_));
        if (keeps_ && text && text_.size() < 4 * message_bytes_max) {
            text_ += std::string_view(text).substr(0, 4 * message_bytes_max);
            text_ += '\n';
        }
    }

    void end(std::string_view name) {
        keeps_ = false;
        if (name != "testcase") {
            return;
        }
        ++out_.total;
        if (failed_) {
            ++out_.failed;
            finish_failure();
        } else {
            ++(skipped_ ? out_.skipped : out_.passed);
        }
    }

    void finish_failure() {
        auto place = boost_place(text_);
        if (!place) {
            place = find_place(text_.empty() ? now_.message : text_);
        }
        if (place) {
            now_.file = std::move(place->file);
            now_.line = place->line;
        }
        // Boost says "failure", CTest nothing: then the text says more.
        const auto text = trimmed(text_);
        if (now_.message.size() < std::string_view("unexpected exception").size() + 1 && !text.empty() &&
            now_.message.find(' ') == std::string::npos) {
            now_.message = text;
        }
        out_.add_failure(std::move(now_));
    }

    xmlTextReader* xml_;
    test_outcomes out_;
    test_failure now_;
    std::string text_;
    bool failed_ = false;
    bool skipped_ = false;
    bool keeps_ = false;
};

} // namespace

void test_outcomes::add_failure(test_failure f) {
    if (failures.size() < failures_max) {
        f.message = without_escapes(std::string_view(f.message).substr(0, message_bytes_max));
        f.name = without_escapes(std::string_view(f.name).substr(0, 500));
        failures.push_back(std::move(f));
    }
}

test_outcomes& test_outcomes::operator+=(const test_outcomes& other) {
    total += other.total;
    passed += other.passed;
    failed += other.failed;
    skipped += other.skipped;
    for (const auto& f : other.failures) {
        add_failure(f);
    }
    return *this;
}

std::optional<test_outcomes> read_junit(std::string_view xml) {
    // No DTD, so no entities but XML's own five; no network; and libxml2 bounds how deep elements lie in each other.
    if (xml.size() > document_bytes_max || xml.find("<!DOCTYPE") != xml.npos || xml.find("<!ENTITY") != xml.npos) {
        return std::nullopt;
    }
    const reader opened(xmlReaderForMemory(xml.data(), static_cast<int>(xml.size()), nullptr, nullptr,
                                           XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING),
                        xmlFreeTextReader);
    return opened ? junit_reader(opened.get()).read() : std::nullopt;
}

std::optional<test_outcomes> read_jest_json(std::string_view text) {
    const auto parsed = json::document::parse(text);
    if (!parsed || !parsed->root().find("numTotalTests")) {
        return std::nullopt;
    }
    const auto root = parsed->root();
    const auto number = [&](std::string_view name) {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(root.int_or(name), 0));
    };
    test_outcomes out;
    out.total = number("numTotalTests");
    out.passed = number("numPassedTests");
    out.failed = number("numFailedTests");
    out.skipped = number("numPendingTests") + number("numTodoTests");
    const auto suites = root.find("testResults");
    if (!suites) {
        return out;
    }
    suites->each_element([&](json::value suite) {
        const auto tests = suite.find("assertionResults");
        const auto note = [&](json::value test) {
            if (test.text_or("status") != "failed") {
                return;
            }
            const auto message = test.pointer("/failureMessages/0");
            test_failure f{test.text_or("fullName"), suite.text_or("name"), 0,
                           message ? std::string(message->as_string().value_or("")) : ""};
            if (const auto place = find_place(f.message)) {
                f.file = place->file;
                f.line = place->line;
            }
            out.add_failure(std::move(f));
        };
        if (tests) {
            tests->each_element(note);
        }
    });
    return out;
}

std::optional<test_outcomes> read_go_json(std::string_view text) {
    test_outcomes out;
    std::map<std::string, std::string> said; // of tests that have not ended
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto parsed = line.starts_with('{') ? json::document::parse(line) : problem{code::malformed_json, {}};
        const auto test = parsed ? parsed->root().text_or("Test") : "";
        if (test.empty()) {
            continue;
        }
        const auto name = parsed->root().text_or("Package") + "." + test;
        const auto action = parsed->root().text_or("Action");
        if (action == "output") {
            auto& kept = said[name];
            const auto words = parsed->root().text_or("Output");
            if (kept.size() < message_bytes_max && !words.starts_with("=== ") && !words.starts_with("--- ")) {
                kept += words;
            }
            continue;
        }
        if (action != "pass" && action != "fail" && action != "skip") {
            continue;
        }
        ++out.total;
        ++(action == "pass" ? out.passed : action == "fail" ? out.failed : out.skipped);
        if (action == "fail") {
            const auto place = find_place(said[name]).value_or(source_place{});
            out.add_failure({name, place.file, place.line, std::string(trimmed(said[name]))});
        }
        said.erase(name);
    }
    return out.total > 0 ? std::optional(std::move(out)) : std::nullopt;
}

} // namespace troupe::actors
