#include "app/demo/agent_profile.h"

#include <algorithm>
#include <cstdlib>

namespace tocsin {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Texts = const std::string_view[];

// ---- customer-support: busy, conversational, most of it by day ----

constexpr Texts support_requests = {
    "Hello, this is $person. My order $case has not arrived in $city yet, can you look?",
    "I was charged $amount twice for order $case. Please write to $email.",
    "I want to send back order $case and get my $amount back. You can call me at $phone.",
    "Can you change the delivery address of $case to $city? The name is $person."};
constexpr Texts support_follow_ups = {"Yes, please go ahead.", "It was ordered on $date, if that helps.",
                                      "No, the other address. My e-mail is $email.", "And when will that be done?",
                                      "Thank you. Could you also check the invoice?"};
constexpr Texts support_answers = {
    "I found order $case, $person. It left our store on $date and is on its way to $city. Shall I ask the carrier?",
    "The second charge of $amount on $case is a reservation that ends by itself within three days. I have sent the "
    "details to $email.",
    "You can return $case until $date. Do you want the label by e-mail to $email or by post to $city?",
    "I have noted the change on $case. Is there anything else that I can do for you today?",
    "Could you please confirm your phone number ($phone) so that I can open the order?"};
constexpr ToolTemplate support_tools[] = {
    {"find_order", R"({"order_id":"$case"})",
     R"({"order":"$case","name":"$person","email":"$email","city":"$city","status":"shipped","total":"$amount",)"
     R"("placed":"$date","lines":[{"article":"A-1108","pieces":2,"state":"packed"},)"
     R"({"article":"A-2290","pieces":1,"state":"packed"}]})",
     false, true, 5},
    {"find_customer", R"({"email":"$email"})",
     R"({"name":"$person","email":"$email","phone":"$phone","city":"$city","since":"$date","orders":["$case"],)"
     R"("language":"en","notes":"Prefers to be written to. Moved to $city in the spring."})",
     false, true, 3},
    {"track_parcel", R"({"order_id":"$case"})",
     R"({"carrier":"post","last_seen":"$city","expected":"$date","stops":["sorting centre","$city depot"]})", false,
     true, 3},
    {"start_refund", R"({"order_id":"$case","amount":"$amount"})", R"({"refund":"$case-R","state":"accepted"})", true,
     true, 2},
    {"calculate", R"({"expression":"$amount * 0.19"})", "19 % of $amount, rounded to cents", false, false, 1}};

constexpr AgentProfile customer_support = {
    .agent = "customer-support",
    .agent_version = "4.2.0",
    .spec = "support-policy",
    .spec_version = "2.1",
    .model = "gpt-4o",
    .model_version = "2024-11-20",
    .model_tier = "frontier",
    .price = {},
    .tasks_an_hour_tenths = {140, 110, 100, 110, 140, 180, 240, 310, 390, 470, 530, 570,
                             600, 610, 600, 570, 530, 480, 440, 390, 330, 270, 210, 170},
    .wall_clock = minutes{10},
    .cost_budget_usd = "1.0",
    .turns_median = 5,
    .turns_most = 12,
    .tools_a_turn_hundredths = 90,
    .tools_a_turn_most = 6,
    .wait_for_person = seconds{8},
    .tool_latency_most = Duration{600},
    .error_gap_least = 20,
    .error_gap_mean = 60,  // 1.7 %
    .surfaces_per_million = 250'000,
    .pauses_per_million = 5'000,
    .has_sessions = true,
    .requests = support_requests,
    .follow_ups = support_follow_ups,
    .answers = support_answers,
    .tools = support_tools,
};

// ---- claims-intake: office hours, waits for documents ----

constexpr Texts claims_requests = {
    "New claim $case by $person, $city: water damage on $date, estimate $amount. Contact $email, $phone.",
    "Claim $case: car damage in $city on $date. The garage asks $amount. Please check the cover.",
    "$person adds two photographs to $case and asks when the $amount will be paid. Reply to $email."};
constexpr Texts claims_follow_ups = {"The police report is attached.",
                                     "The policy holder is $person, insured since $date.",
                                     "The garage's number is $phone.", "Here is the corrected estimate: $amount."};
constexpr Texts claims_answers = {
    "Claim $case is covered from $date on. The deductible leaves $amount to be paid to $person.",
    "For $case I still need the estimate of the repair. I have asked $email for it.",
    "The damage in $city was reported on $date, within the period. I propose to accept $case.",
    "I have compared $case with the two earlier claims of $person and found no overlap."};
constexpr ToolTemplate claims_tools[] = {
    {"read_policy", R"({"claim_id":"$case"})",
     R"({"holder":"$person","email":"$email","cover":"household","from":"$date","limit":"$amount",)"
     R"("excluded":["flood","earthquake"],"deductible":"150.00 USD","address":"$city","state":"in force"})",
     false, true, 4},
    {"read_document", R"({"claim_id":"$case","page":1})",
     "Estimate for $person, $city, dated $date. Labour and material: $amount. Questions: $phone. The wall behind "
     "the kitchen was opened, the pipe replaced and the floor dried for nine days; photographs are attached.",
     false, true, 4},
    {"list_earlier_claims", R"({"holder":"$person"})", R"([{"claim":"$case-A","paid":"$amount","on":"$date"}])",
     false, true, 2},
    {"write_assessment", R"({"claim_id":"$case","amount":"$amount"})", R"({"claim":"$case","state":"assessed"})",
     true, true, 2}};

constexpr AgentProfile claims_intake = {
    .agent = "claims-intake",
    .agent_version = "1.9.3",
    .spec = "claims-policy",
    .spec_version = "3.0",
    .model = "gpt-4o",
    .model_version = "2024-11-20",
    .model_tier = "frontier",
    .price = {},
    .tasks_an_hour_tenths = {0,   0,   0,   0,   0,   0,   0, 0, 200, 300, 360, 360,
                             260, 280, 360, 360, 300, 200, 0, 0, 0,   0,   0,   0},
    .weekdays_only = true,
    .wall_clock = minutes{10},
    .cost_budget_usd = "1.5",
    .turns_median = 3,
    .turns_most = 7,
    .tools_a_turn_hundredths = 150,
    .tools_a_turn_most = 6,
    .wait_for_person = seconds{9},
    .tool_latency_most = Duration{900},
    .first_tokens = 2'400,
    .answer_tokens = 110,
    .error_gap_least = 10,
    .error_gap_mean = 22,  // 4.5 %
    .surfaces_per_million = 290'000,
    .pauses_per_million = 40'000,
    .has_sessions = true,
    .requests = claims_requests,
    .follow_ups = claims_follow_ups,
    .answers = claims_answers,
    .tools = claims_tools,
};

// ---- market-research: a few long readings an hour, more of them at night ----

constexpr Texts research_requests = {
    "Summarize what was published about suppliers in $city since $date and rate how sure you are.",
    "Compare the prices of the three largest carriers in $city. Budget for sources: $amount. Report as $case.",
    "Who is the contact for $case in $city? Check that $email still works."};
constexpr Texts research_follow_ups = {"Only sources after $date, please."};
constexpr Texts research_answers = {
    "Report $case: three sources agree that prices in $city have risen since $date; one of them names $amount.",
    "I read nine pages about $city. Two are older than $date and were left out. The contact is $person, $email.",
    "No source for $case was good enough to be quoted; the nearest is a note of $date without an author."};
constexpr ToolTemplate research_tools[] = {
    {"search_web", R"({"query":"suppliers $city since $date"})",
     R"([{"title":"Trade in $city","date":"$date"},{"title":"Freight prices","date":"$date"},)"
     R"({"title":"Yearly report","place":"$city"}])",
     false, true, 5},
    {"read_page", R"({"url":"https://news.example.org/$case"})",
     "Trade in $city. $person, speaking on $date, put the cost at $amount a ton. Press contact: $email, $phone. More "
     "than half of the firms asked expect the same for next year. The port in $city handled a tenth more than in the "
     "year before, and "
     "two lines have opened a weekly service. Nobody expects prices to fall before the new quay is finished.",
     false, true, 6},
    {"store_note", R"({"report":"$case","text":"price $amount"})", R"({"stored":true})", true, true, 2}};

constexpr AgentProfile market_research = {
    .agent = "market-research",
    .agent_version = "0.8.1",
    .spec = "research-policy",
    .spec_version = "1.2",
    .model = "gpt-4o",
    .model_version = "2024-08-06",
    .model_tier = "frontier",
    .price = {},
    .tasks_an_hour_tenths = {50, 50, 50, 50, 50, 50, 40, 35, 35, 35, 35, 35,
                             35, 35, 35, 35, 35, 35, 35, 35, 35, 40, 50, 50},
    .wall_clock = minutes{15},
    .cost_budget_usd = "2.0",
    .tools_a_turn_hundredths = 600,
    .tools_a_turn_most = 16,
    .tool_latency_most = Duration{6'000},
    .first_tokens = 2'100,
    .answer_tokens = 220,
    .result_tokens = 400,
    .caches_prompts = true,
    .error_gap_least = 20,
    .error_gap_mean = 90,  // 1.1 %
    .surfaces_per_million = 130'000,
    .refusals_per_million = 4'000,
    .requests = research_requests,
    .follow_ups = research_follow_ups,
    .answers = research_answers,
    .tools = research_tools,
};

// ---- code-maintainer: long, costly tasks ----

constexpr Texts coding_requests = {
    "Fix issue $case: the export for $city drops the last line. A test that shows it is welcome.",
    "Update the date parser so that $date is read as a local day, see $case. Ask $person if unclear.",
    "Review the change $case and make the build green again."};
constexpr Texts coding_follow_ups = {"The linter complains about the second file.", "Please rebase on main."};
constexpr Texts coding_answers = {
    "The loop stopped one line early when the file had no final newline. I changed it and added a test for $case.",
    "The build is green: 214 tests pass. The change to $case touches three files; $person owns one of them.",
    "I could not reproduce $case on main. The test that I added passes before and after the change."};
constexpr ToolTemplate coding_tools[] = {
    {"read_file", R"({"path":"src/export/$case.py"})",
     "def export(rows, out):\n    for row in rows[:-1]:\n        out.write(format_row(row))\n    # owner: $person "
     "<$email>\n    return len(rows)\n\n\ndef format_row(row):\n    return ','.join(str(cell) for cell in row)\n",
     false, true, 8},
    {"search_code", R"({"pattern":"format_row"})",
     "src/export/table.py:41: out.write(format_row(row))\nsrc/export/lines.py:17: return format_row(row)\n", false,
     true, 5},
    {"edit_file", R"({"path":"src/export/$case.py","line":2,"text":"    for row in rows:"})", "1 line changed", true,
     true, 4},
    {"run_tests", R"({"target":"tests/export"})", "collected 214 items: 214 passed in 11.3 s", false, true, 3}};

constexpr AgentProfile code_maintainer = {
    .agent = "code-maintainer",
    .agent_version = "2.0.5",
    .spec = "maintenance-policy",
    .spec_version = "1.0",
    .model = "gpt-4o",
    .model_version = "2024-11-20",
    .model_tier = "frontier",
    .price = {},
    // A small swing: after a first night of few tasks, an ordinary morning must not look like a spike.
    .tasks_an_hour_tenths = {85,  85,  85,  85,  85,  85,  85, 90, 95, 100, 100, 100,
                             100, 100, 100, 100, 100, 100, 95, 95, 90, 90,  85,  85},
    .wall_clock = minutes{30},
    .cost_budget_usd = "5.0",
    .turns_median = 1,
    .turns_most = 2,
    .tools_a_turn_hundredths = 1'400,
    .tools_a_turn_sigma = 300,
    .tools_a_turn_most = 30,
    .wait_for_person = seconds{20},
    .tool_latency_most = Duration{24'000},
    .first_tokens = 6'500,
    .answer_tokens = 160,
    .result_tokens = 300,
    .caches_prompts = true,
    .error_gap_least = 12,
    .error_gap_mean = 40,  // 2.5 %
    .surfaces_per_million = 180'000,
    .reviews_per_million = 600'000,
    .accepted_per_million = 620'000,
    .requests = coding_requests,
    .follow_ups = coding_follow_ups,
    .answers = coding_answers,
    .tools = coding_tools,
};

// ---- billing-assistant: short, by day and a little by night ----

constexpr Texts billing_requests = {
    "Invoice $case for $person shows $amount, the order says something else. Which is right?",
    "Please send a copy of invoice $case of $date to $email.",
    "Set the payment of $case to monthly parts. The customer is $person, phone $phone."};
constexpr Texts billing_follow_ups = {"The order is of $date.", "Yes, send it to $email.", "In three parts, please."};
constexpr Texts billing_answers = {
    "Invoice $case holds $amount; the difference to the order is the freight to $city, added on $date.",
    "A copy of $case is on its way to $email.", "From $date on, $case is paid in three parts of a third of $amount."};
constexpr ToolTemplate billing_tools[] = {
    {"read_invoice", R"({"invoice":"$case"})",
     R"({"invoice":"$case","to":"$person","email":"$email","total":"$amount","date":"$date","lines":4,)"
     R"("tax":"19 %","due_days":14,"sent_by":"mail","reminders":0,"account":"1200"})",
     false, true, 5},
    {"read_ledger", R"({"customer":"$email","since":"$date"})",
     R"([{"invoice":"$case","amount":"$amount","state":"open"}])", false, true, 3},
    {"send_copy", R"({"invoice":"$case","to":"$email"})", R"({"sent":true})", true, true, 2}};

constexpr AgentProfile billing_assistant = {
    .agent = "billing-assistant",
    .agent_version = "3.1.4",
    .spec = "billing-policy",
    .spec_version = "1.6",
    .model = "gpt-4o",
    .model_version = "2024-08-06",
    .model_tier = "frontier",
    .price = {},
    // By day an hour always holds the samples of the error rule: a window that must grow from one hour to three
    // would find an outage again that was over long ago.
    .tasks_an_hour_tenths = {80,  80,  80,  80,  80,  100, 120, 180, 260, 340, 340, 340,
                             340, 340, 340, 340, 340, 280, 220, 180, 150, 120, 100, 100},
    .wall_clock = minutes{6},
    .cost_budget_usd = "0.5",
    .turns_median = 2,
    .turns_most = 5,
    .tools_a_turn_hundredths = 120,
    .tools_a_turn_most = 5,
    .wait_for_person = seconds{6},
    .tool_latency_most = Duration{500},
    .first_tokens = 1'400,
    .error_gap_least = 20,
    .error_gap_mean = 100,  // 1 %
    .surfaces_per_million = 120'000,
    .requests = billing_requests,
    .follow_ups = billing_follow_ups,
    .answers = billing_answers,
    .tools = billing_tools,
};

// ---- ops-triage: alarms of machines, around the clock, cheap ----

constexpr Texts ops_requests = {"Disk of host $case in $city is 91 % full.", "Queue $case has not moved since $date.",
                                "Certificate of $case ends on $date; owner $email."};
constexpr Texts ops_answers = {"Host $case: old archives removed, 62 % used now. Told $email.",
                               "The worker of $case was restarted; the queue is empty again.",
                               "Renewal for $case is requested; $person confirms until $date."};
constexpr ToolTemplate ops_tools[] = {
    {"read_metrics", R"({"host":"$case","range":"1h"})", R"({"host":"$case","site":"$city","disk":0.91,"load":1.7})",
     false, true, 5},
    {"read_runbook", R"({"topic":"disk"})", "1. Remove archives older than 14 days. 2. Tell the owner, $email.",
     false, false, 2},
    {"restart_service", R"({"service":"$case"})", R"({"state":"running"})", true, true, 2}};

constexpr AgentProfile ops_triage = {
    .agent = "ops-triage",
    .agent_version = "1.3.0",
    .spec = "ops-policy",
    .spec_version = "1.4",
    .model = "gpt-4o-mini",
    .model_version = "2024-07-18",
    .model_tier = "small",
    .price = {.in = 150, .cached = 75, .out = 600},
    // The jobs of the night raise most alarms.
    .tasks_an_hour_tenths = {260, 480, 480, 480, 480, 480, 480, 480, 480, 480, 260, 260,
                             260, 260, 260, 260, 260, 260, 260, 260, 260, 260, 260, 260},
    .wall_clock = minutes{5},
    .cost_budget_usd = "0.1",
    .tools_a_turn_hundredths = 220,
    .tools_a_turn_most = 7,
    .tool_latency_most = Duration{1'500},
    .first_tokens = 900,
    .answer_tokens = 45,
    .error_gap_least = 25,
    .error_gap_mean = 200,  // 0.5 %
    .surfaces_per_million = 200'000,
    .refusals_per_million = 2'000,
    .reviews_per_million = 50'000,
    .accepted_per_million = 800'000,
    .requests = ops_requests,
    .follow_ups = ops_requests,
    .answers = ops_answers,
    .tools = ops_tools,
};

constexpr AgentProfile agents[] = {customer_support, claims_intake,     market_research,
                                   code_maintainer,  billing_assistant, ops_triage};

}  // namespace

std::span<const AgentProfile> demo_agents() {
  return agents;
}

const AgentProfile& demo_agent(std::string_view name) {
  const auto found = std::ranges::find(agents, name, &AgentProfile::agent);
  if (found == std::end(agents)) std::abort();
  return *found;
}

}  // namespace tocsin
