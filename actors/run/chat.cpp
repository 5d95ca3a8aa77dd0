#include "actors/run/chat.hpp"

#include "actors/run/run_events.hpp"
#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::actors {
namespace {

problem wrong(std::string pointer, std::string what) {
    return {code::invalid_request, pointer.substr(1) + " " + what, {{pointer, what}}};
}

struct said {
    std::string text;
    std::vector<image_body> images;
};

/// "data:image/png;base64,…": nothing is fetched from an address that a caller gives.
expected<image_body> image_of(const json::value& part, const std::string& pointer) {
    const auto at = part.pointer("/image_url/url");
    const std::string_view url = at ? at->as_string().value_or("") : "";
    constexpr std::string_view mark = ";base64,";
    const auto data = url.find(mark);
    if (!url.starts_with("data:") || data == url.npos) {
        return wrong(pointer + "/image_url/url", "has to be a data URL: data:image/png;base64,…");
    }
    return image_body{std::string(url.substr(data + mark.size()))};
}

/// A text, or a list of parts that are texts and pictures.
expected<said> read_content(const json::value& content, const std::string& pointer) {
    said out;
    if (const auto text = content.as_string()) {
        out.text = *text;
        return out;
    }
    if (content.type() == json::kind::null) {
        return out;
    }
    if (content.type() != json::kind::array) {
        return wrong(pointer, "has to be a text or a list of parts");
    }
    for (std::size_t i = 0; i < content.size(); ++i) {
        const auto part = *content.at(i);
        const auto type = part.text_or("type");
        if (type == "image_url") {
            auto image = image_of(part, fmt::format("{}/{}", pointer, i));
            if (!image) {
                return image.error();
            }
            out.images.push_back(std::move(*image));
            continue;
        }
        if (type != "text") {
            return wrong(fmt::format("{}/{}", pointer, i),
                         "has the type '" + type + "': texts and pictures can be given here");
        }
        out.text += (out.text.empty() ? "" : "\n") + part.text_or("text");
    }
    return out;
}

/// What the caller may rely on and would not get.
expected<void> refuse_what_is_missing(const json::value& root) {
    for (const auto* name : {"tools", "functions"}) {
        if (const auto given = root.find(name); given && given->size() > 0) {
            return wrong(std::string("/") + name, "cannot be given: an agent has its own tools");
        }
    }
    if (root.int_or("n", 1) > 1) {
        return wrong("/n", "has to be 1: a run gives one answer");
    }
    if (const auto format = root.find("response_format"); format && format->text_or("type", "text") != "text") {
        return wrong("/response_format", "has to be text: say in the agent's instructions what form you want");
    }
    return {};
}

void note_images(chat_request& to, std::size_t message, std::vector<image_body>&& images) {
    if (!images.empty()) {
        to.images.emplace(message, std::move(images));
    }
}

expected<void> read_message(const json::value& m, const std::string& pointer, chat_request& out) {
    const auto role = m.text_or("role");
    const auto content = m.find("content");
    auto read = content ? read_content(*content, pointer + "/content") : expected<said>(said{});
    if (!read) {
        return read.error();
    }
    if (!read->images.empty() && role != "user") {
        return wrong(pointer + "/content", "has pictures, which only the user gives");
    }
    if (role == "system" || role == "developer") {
        out.instructions += (out.instructions.empty() ? "" : "\n\n") + read->text;
    } else if (role == "user" && out.goal.empty() && out.messages.empty()) {
        if (read->text.empty()) {
            return wrong(pointer + "/content", "has no text");
        }
        out.goal = std::move(read->text);
        note_images(out, 0, std::move(read->images));
    } else if (role != "user" && role != "assistant") {
        return wrong(pointer + "/role", "has to be system, user or assistant, not '" + role + "'");
    } else if (out.goal.empty()) {
        return wrong(pointer + "/role", "has to be user in the first message of the conversation");
    } else {
        out.messages.push_back({role, std::move(read->text), {}, {}, {}, {}, false});
        note_images(out, out.messages.size(), std::move(read->images));
    }
    return {};
}

} // namespace

expected<chat_request> read_chat_request(std::string_view body) {
    const auto parsed = json::document::parse(body);
    if (!parsed) {
        return parsed.error();
    }
    const auto root = parsed->root();
    chat_request out;
    out.model = root.text_or("model");
    if (out.model.empty()) {
        return wrong("/model", "is missing: the name of an agent (GET /v1/models lists them)");
    }
    if (auto can = refuse_what_is_missing(root); !can) {
        return can.error();
    }
    const auto messages = root.find("messages");
    for (std::size_t i = 0; messages && i < messages->size(); ++i) {
        if (auto read = read_message(*messages->at(i), fmt::format("/messages/{}", i), out); !read) {
            return read.error();
        }
    }
    std::size_t images = 0;
    for (const auto& [message, of_it] : out.images) {
        images += of_it.size();
    }
    if (images > run_images_max) {
        return wrong("/messages", fmt::format("has {} pictures: at most {} can be given", images, run_images_max));
    }
    const bool asked = out.messages.empty() || out.messages.back().role == "user";
    if (out.goal.empty() || !asked) {
        return wrong("/messages", out.goal.empty() ? "has no message of the user" : "has to end with one of the user");
    }
    const auto tokens = root.int_or("max_completion_tokens", root.int_or("max_tokens"));
    if (tokens < 0 || tokens > UINT32_MAX) {
        return wrong("/max_tokens", "is no number of tokens");
    }
    out.output_tokens_max = static_cast<std::uint32_t>(tokens);
    const auto stream = root.find("stream");
    out.stream = stream && stream->as_bool().value_or(false);
    const auto usage = root.pointer("/stream_options/include_usage");
    out.stream_usage = usage && usage->as_bool().value_or(false);
    return out;
}

bool wants_chat_stream(std::string_view body) {
    const auto parsed = json::document::parse(body);
    const auto stream = parsed ? parsed->root().find("stream") : std::nullopt;
    return stream && stream->as_bool().value_or(false);
}

// ---- what the run says

std::string chat_answer::say(std::string_view more) {
    text_ += more;
    return std::string(more);
}

std::string chat_answer::on_token(std::string_view data) {
    const auto token = from_json<token_data>(data, strictness::stored);
    if (!token || token->step < step_ || (token->step == step_ && token->attempt < attempt_)) {
        return {};
    }
    std::string out;
    if (token->step != step_ || token->attempt != attempt_) {
        // What an attempt had said that failed stands there: its successor is told as a whole, when it is there.
        reply_broken_ = token->step == step_ && !reply_.empty();
        if (!reply_broken_) {
            reply_.clear();
        }
        step_ = token->step;
        attempt_ = token->attempt;
    }
    reply_broken_ = reply_broken_ || token->offset != reply_.size(); // some were before this reader came
    if (reply_broken_ || token->text.empty()) {
        return {};
    }
    if (reply_.empty() && !text_.empty()) {
        out += say("\n\n");
    }
    reply_ += token->text;
    return out + say(token->text);
}

std::string chat_answer::on_reply(std::string_view data) {
    const auto reply = from_json<model_call_finished>(data, strictness::stored);
    if (!reply) {
        return {};
    }
    input_tokens_ += reply->input_tokens;
    output_tokens_ += reply->output_tokens;
    std::string out;
    if (reply->content.starts_with(reply_)) {
        if (reply_.empty() && !text_.empty() && !reply->content.empty()) {
            out += say("\n\n");
        }
        out += say(std::string_view(reply->content).substr(reply_.size()));
    } else {
        out += say("\n\n" + reply->content);
    }
    last_reply_ = reply->content;
    reply_.clear();
    reply_broken_ = false;
    step_ = reply->step + 1;
    attempt_ = 0;
    return out;
}

chat_answer::news chat_answer::on_end(std::string_view data) {
    news out{.ended = true};
    const auto end = from_json<run_finished>(data, strictness::stored);
    if (end && !last_reply_.ends_with(end->result)) {
        out.text = say((text_.empty() ? "" : "\n\n") + end->result);
    }
    return out;
}

chat_answer::news chat_answer::take(std::string_view kind, std::string_view data) {
    const auto failed = [](code c, std::string why) {
        return news{.ended = true, .failed = problem{c, std::move(why)}};
    };
    if (kind == "token") {
        return {.text = on_token(data)};
    }
    if (kind == "model_call_finished") {
        return {.text = on_reply(data)};
    }
    if (kind == "run_finished") {
        return on_end(data);
    }
    if (kind == "run_failed") {
        const auto end = from_json<run_failed>(data, strictness::stored);
        return failed(end ? code_named(end->code).value_or(code::internal) : code::internal,
                      end ? end->detail : "the run failed");
    }
    if (kind == "run_cancelled") {
        return failed(code::cancelled, "the run was cancelled");
    }
    if (kind == "approval_requested") {
        const auto asked = from_json<approval_requested>(data, strictness::stored);
        return failed(code::conflict, "The run waits for a person, which this protocol cannot tell: " +
                                          (asked ? asked->text : std::string()) +
                                          " It goes on when that is decided (`troupe run watch`).");
    }
    return {};
}

// ---- the protocol

namespace {

std::string usage_of(const chat_answer& answer) {
    return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{}}})", answer.input_tokens(),
                       answer.output_tokens(), answer.input_tokens() + answer.output_tokens());
}

std::string head_of(const chat_writer& w, std::string_view object) {
    return R"({"id":)" + json::quoted(w.id) + R"(,"object":")" + std::string(object) + R"(","created":)" +
           std::to_string(w.created.ms / 1000) + R"(,"model":)" + json::quoted(w.model);
}

} // namespace

std::string chat_writer::completion(const chat_answer& answer) const {
    return head_of(*this, "chat.completion") + R"(,"choices":[{"index":0,"message":{"role":"assistant","content":)" +
           json::quoted(answer.text()) + R"(,"refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":)" +
           usage_of(answer) + "}";
}

std::string chat_writer::chunk(std::string_view delta, std::string_view finish) const {
    return "data: " + head_of(*this, "chat.completion.chunk") + R"(,"choices":[{"index":0,"delta":)" +
           std::string(delta) + R"(,"logprobs":null,"finish_reason":)" + std::string(finish) + "}]}\n\n";
}

std::string chat_writer::first_chunk() const { return chunk(R"({"role":"assistant","content":""})", "null"); }

std::string chat_writer::text_chunk(std::string_view text) const {
    return chunk(R"({"content":)" + json::quoted(text) + "}", "null");
}

std::string chat_writer::last_chunk(const chat_answer& answer, bool usage) const {
    auto out = chunk("{}", R"("stop")");
    if (usage) {
        out += "data: " + head_of(*this, "chat.completion.chunk") + R"(,"choices":[],"usage":)" + usage_of(answer) +
               "}\n\n";
    }
    return out + "data: [DONE]\n\n";
}

std::string chat_error(const problem& p) {
    const auto& known = explain(p.code);
    return R"({"error":{"message":)" + json::quoted(p.detail.empty() ? std::string(known.title) : p.detail) +
           R"(,"type":")" + (known.http_status < 500 ? "invalid_request_error" : "server_error") + R"(","param":)" +
           (p.errors.empty() ? "null" : json::quoted(p.errors.front().pointer)) + R"(,"code":")" +
           std::string(known.name) + R"("}})";
}

} // namespace troupe::actors
