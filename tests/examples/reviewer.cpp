// A tool and an agent kind of your own, in the whole node. A reviewer is an entity that has runs work for it: with its
// own instructions, model and policies. Runs are Troupe's, so each step of the review is durable and can be watched.
//
//     ./reviewer DIRECTORY TEXT
#include "actors/application/application.hpp"
#include "actors/common/debts.hpp"
#include "actors/common/model.hpp"
#include "schemas/agent_messages.hpp"
#include "schemas/run_messages.hpp"
#include "storage/views.hpp"

#include <chrono>
#include <iostream>
#include <iterator>
#include <sstream>
#include <thread>

using namespace troupe;

// ---- the tool: every run of this node may call it

struct count_words_arguments {
    std::string text;
    static constexpr field_rule rules[] = {{.name = "text", .required = true, .doc = "What to count the words of."}};
};
BOOST_DESCRIBE_STRUCT(count_words_arguments, (), (text))

actors::custom_tool count_words() {
    auto tool = actors::make_tool<count_words_arguments>(
        "count_words", "Counts the words of a text.",
        [](const count_words_arguments& a, const actors::tool_environment&) {
            std::istringstream words(a.text);
            const auto count = std::distance(std::istream_iterator<std::string>(words), {});
            return actors::tool_result{.content = std::to_string(count) + " words"};
        });
    tool.safety = actors::repeat_safety::idempotent; // after a crash it may be called again
    return tool;
}

// ---- the agent kind

struct review {
    std::string text;
};
struct review_asked {
    uuid organization;
    uuid run_id;
    std::string text;
};
struct reviewed {
    std::string verdict;
};
struct reviewer {
    uuid organization;
    std::string verdict;
    actors::debts owed; ///< Messages to others, until they are answered.
};
BOOST_DESCRIBE_STRUCT(review, (), (text))
BOOST_DESCRIBE_STRUCT(review_asked, (), (organization, run_id, text))
BOOST_DESCRIBE_STRUCT(reviewed, (), (verdict))
BOOST_DESCRIBE_STRUCT(reviewer, (), (organization, verdict, owed))
TROUPE_NAMED(review)
TROUPE_NAMED(review_asked)
TROUPE_NAMED(reviewed)

struct reviewer_model {
    static constexpr std::string_view kind = "reviewer";
    using state = reviewer;
    using command = std::variant<review, run_ended, actors::debt_settled>;
    using event = std::variant<review_asked, reviewed, actors::debt_cleared>;
    using events = std::vector<event>;

    static expected<events> decide(const state& s, const command& c, const runtime::context& context) {
        return std::visit(
            actors::visitor{
                [&](const review& x) {
                    return events{review_asked{context.self.organization, context.make_id(), x.text}};
                },
                [](const run_ended& x) { return events{reviewed{x.result.value_or(x.error.value_or("cancelled"))}}; },
                [&](const actors::debt_settled& x) {
                    const auto* debt = find_debt(s.owed, x.key);
                    return debt ? events{cleared(*debt, x)} : events{};
                }},
            c);
    }
    static state apply(state s, const event& e, const runtime::event_context& at) {
        std::visit(actors::visitor{[&](const review_asked& x) {
                                       s.organization = x.organization;
                                       owe(s.owed, "run", x.run_id, run_for(x, at.id));
                                   },
                                   [&](const reviewed& x) { s.verdict = x.verdict; },
                                   [&](const actors::debt_cleared& x) {
                                       clear_debt(s.owed, x.number);
                                       s.verdict = x.ok ? s.verdict : "no review: " + x.detail;
                                   }},
                   e);
        return s;
    }
    static std::vector<runtime::effect> resume(const state& s) { return effects_of(s.owed, s.organization); }
    static runtime::entity_view view(const state& s, const runtime::view_context&) { return {to_json(s)}; }

    /// What makes this kind of agent: its instructions, its model, what its runs may do. The run tells it of its end.
    static create_run run_for(const review_asked& x, const uuid& self) {
        create_run out;
        out.goal = x.text;
        out.instructions = "Say how many words the text has that you are given. Count with the tool count_words.";
        out.model = "rehearsal:review"; // or "openai/…"
        out.tools = {{"ask_human", tool_policy::deny}};
        out.agent_id = self;
        out.agent_kind = kind;
        out.created_by = "reviewer/" + to_string(self);
        return out;
    }
};

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "Usage: reviewer DIRECTORY TEXT\n";
        return 2;
    }
    runtime::config settings;
    settings.data = argv[1];
    settings.listen = "127.0.0.1:0"; // a free port
    settings.model_scripts = EXAMPLE_SCRIPTS;
    const auto node = actors::application::start(
        settings, TROUPE_RUNNER, {.kinds = {runtime::make_kind<reviewer_model>()}, .tools = {count_words()}});
    if (!node) {
        std::cerr << node.error().detail << "\n";
        return 1;
    }
    const auto& parts = (*node)->parts();
    std::cout << "serving " << (*node)->url() << "\n";

    const entity_address address{parts.store->who().default_organization, "reviewer", make_uuid()};
    if (const auto asked = ask(parts, {.to = address, .type = "review", .payload = to_json(review{argv[2]})}); !asked) {
        std::cerr << asked.error().detail << "\n";
        return 1;
    }
    for (;;) {
        const auto document = storage::read_document(*parts.store, address);
        const auto state = document && *document ? from_json<reviewer>((*document)->json, strictness::stored)
                                                 : expected<reviewer>(reviewer{});
        if (state && !state->verdict.empty()) {
            std::cout << "reviewed: " << state->verdict << std::endl;
            return 0;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}
